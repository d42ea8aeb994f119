// npm run picture [-- FILE]: runs udpcat in two terminals and draws what they show, as docs/terminal.svg or FILE.
// It needs script(1) of util-linux, and the UDP ports 8000 and 8001 of the loopback.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from './bundle.mjs';

/** Width of the terminals, in characters. */
const COLUMNS = 90;

const folder = mkdtempSync(join(tmpdir(), 'udpcat-picture-'));
symlinkSync(join(root, 'dist/bin/udpcat.cjs'), join(folder, 'udpcat'));

const server = { title: 'one terminal', lines: [] };
const client = { title: 'another terminal', lines: [] };

try {
  await besideServer(`udpcat serve 8000 --reply 'got it'`, [
    `udpcat send 8000 hello --expect got; echo "status $?"`,
    `udpcat send 8000 hello --expect-exact OK; echo "status $?"`,
    `udpcat send 8001 hello --expect got; echo "status $?"`,
  ]);
  await besideServer('udpcat echo 8000', ['udpcat send 8000 --size 200 --count 1000 --rate 500/s --wait 5s -o none']);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
writeFileSync(process.argv[2] ?? join(root, 'docs/terminal.svg'), draw([server, client]));

/** Runs a server in one terminal and commands in the other; then the server is interrupted by Ctrl-C. */
async function besideServer(line, commands) {
  const running = start(line);
  await running.shows('listening on');
  for (const command of commands) client.lines.push(...prompt(command), ...(await start(command).end()));
  running.type('\x03');
  server.lines.push(...prompt(line), ...(await running.end()));
}

/** Starts a command line at a terminal. */
function start(line) {
  const child = spawn('script', ['-qefc', `stty cols ${COLUMNS} rows 50; ${line}`, '/dev/null'], {
    env: {
      ...process.env,
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      SHELL: '/bin/bash',
      TERM: 'xterm-256color',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const ended = once(child, 'close');
  return {
    type: (keys) => child.stdin.write(keys),
    async shows(words) {
      while (!text.includes(words)) {
        const closed = await Promise.race([once(child.stdout, 'data').then(() => false), ended.then(() => true)]);
        if (closed) throw new Error(`"${line}" ended without "${words}":\n${text}`);
      }
    },
    async end() {
      await ended;
      return rows(text);
    },
  };
}

function prompt(command) {
  return [[...`$ ${command}`].map((character, column) => ({ character, style: column === 0 ? 'prompt' : 'typed' }))];
}

/** The rows of a terminal that was written to, each as cells with a character and a style. */
function rows(text) {
  const found = [[]];
  let column = 0;
  let style = '';
  const styles = { 2: 'dim', 31: 'red', 35: 'magenta', 36: 'cyan', 22: '', 39: '' };
  // eslint-disable-next-line no-control-regex -- a terminal acts upon these
  for (const [part, erase, color] of text.matchAll(/(\x1b\[K)|\x1b\[(\d*)m|[^]/gu)) {
    const row = found.at(-1);
    if (erase !== undefined) row.length = Math.min(row.length, column);
    else if (color !== undefined) style = styles[color] ?? '';
    else if (part === '\r') column = 0;
    else if (part === '\n') {
      found.push([]);
      column = 0;
    } else {
      row[column] = { character: part, style };
      column += 1;
    }
  }
  if (found.at(-1).length === 0) found.pop();
  return found;
}

/** Draws terminals one below the other. The colours stand out on any page, because each terminal has its own ground. */
function draw(terminals) {
  const [cell, lineHeight, margin, bar] = [7.2, 17, 14, 30];
  const width = Math.ceil(COLUMNS * cell + 2 * margin);
  let top = 0;
  const parts = terminals.map(({ title, lines }) => {
    const text = [];
    let baseline = bar - 4;
    for (const line of lines) {
      text.push(drawLine(line, margin, baseline + lineHeight, cell, lineHeight));
      baseline += linesOf(line) * lineHeight;
    }
    const height = baseline + 4 + margin;
    const part = [
      `<g transform="translate(0 ${top})">`,
      `<rect class="ground" width="${width}" height="${height}" rx="8"/>`,
      ...[0, 1, 2].map((dot) => `<circle class="dot" cx="${margin + 5 + dot * 17}" cy="${bar / 2}" r="5"/>`),
      `<text class="title" x="${width / 2}" y="${bar / 2 + 4}" text-anchor="middle">${title}</text>`,
      ...text,
      '</g>',
    ];
    top += height + margin;
    return part.join('\n');
  });
  const height = top - margin;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="udpcat in two terminals: a server, and a client that checks and measures it">
<style>
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d8dee9; white-space: pre; }
.ground { fill: #1d2128; stroke: #565f6f; }
.dot { fill: #565f6f; }
.title, .dim { fill: #9aa5b8; }
.prompt { fill: #a3d977; }
.typed { fill: #ffffff; font-weight: bold; }
.red { fill: #ff8a80; }
.magenta { fill: #e6a8f0; }
.cyan { fill: #7fd4e6; }
</style>
${parts.join('\n')}
</svg>
`;
}

/** How many lines of the screen a row takes. */
function linesOf(row) {
  return Math.max(1, Math.ceil(row.length / COLUMNS));
}

/** Draws a row, with the columns in their places whatever the font of the reader is. */
function drawLine(row, left, baseline, cell, lineHeight) {
  const runs = [];
  for (const [index, { character, style }] of row.entries()) {
    const [column, line] = [index % COLUMNS, Math.floor(index / COLUMNS)];
    const last = runs.at(-1);
    if (last?.style === style && last.line === line) last.text += character;
    else runs.push({ column, line, style, text: character });
  }
  const spans = runs.map(({ column, line, style, text }) => {
    const place = `x="${(left + column * cell).toFixed(1)}" y="${baseline + line * lineHeight}"`;
    const width = `textLength="${(text.length * cell).toFixed(1)}" lengthAdjust="spacingAndGlyphs"`;
    return `<tspan ${place} ${width}${style && ` class="${style}"`}>${escape(text)}</tspan>`;
  });
  return `<text xml:space="preserve">${spans.join('')}</text>`;
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
