/** The page of `watch --http`: its text, and in a browser. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { createPage } from '../../src/watch/http/page.js';
import { HANG_MS } from '../support/limits.js';
import { describeWith } from '../support/peers.js';
import { answeringServer, closedAddress, echoServer } from '../support/sockets.js';
import { startWatch } from '../support/watching-http.js';

const page = createPage();
const html = page.body as string;
const policy = page.headers?.['Content-Security-Policy'] ?? '';

describe('the page', () => {
  test('allows its own script and style, and nothing else', () => {
    const hashOf = (text = '') => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const [, script] = /<script>([^]*)<\/script>/.exec(html) ?? [];
    const [, style] = /<style>([^]*)<\/style>/.exec(html) ?? [];
    expect(policy.split('; ').sort()).toEqual(
      [
        "default-src 'none'",
        `script-src ${hashOf(script)}`,
        `style-src ${hashOf(style)}`,
        "connect-src 'self'",
        'img-src data:',
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].sort(),
    );
  });

  test('has no address of another host, no handler in an attribute, and no way to write HTML', () => {
    expect(html.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|\/\//);
    expect(html).not.toMatch(/<[^>]*\son\w+=/);
    expect(html).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(/);
    expect(html).not.toMatch(/(?:src|href)="\//);
  });

  test('is text that no reader of the bundle can spoil', () => {
    // eslint-disable-next-line no-control-regex -- ASCII includes control characters
    expect(html).toMatch(/^[\x00-\x7f]*$/);
  });
});

/** Opens a URL in a browser, and returns the document as it is when the page has had its time. */
async function domOf(url: string): Promise<string> {
  const profile = mkdtempSync(join(tmpdir(), 'udpcat-chromium-'));
  try {
    const options = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`];
    const args = [...options, '--virtual-time-budget=5000', '--dump-dom', url];
    const { stdout } = await promisify(execFile)('chromium', args, { timeout: HANG_MS, maxBuffer: 1 << 24 });
    return stdout;
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** A reply and a name that would be a script if they became HTML. */
const HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>&lt;b&gt;';
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

describeWith('chromium', 'in a browser', () => {
  test('the page shows each target with its state, and hostile text as text', async () => {
    await using peer = await echoServer();
    // The probe quotes the text of the reply.
    await using hostile = await answeringServer([HOSTILE]);
    const closed = await closedAddress();
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-page-'));
    const path = join(folder, 'targets.json');
    const targets = [
      { address: peer.address, name: 'good', labels: { site: HOSTILE } },
      { address: closed, name: HOSTILE },
      { address: hostile.address, name: 'liar', probe: 'memcached' },
    ];
    const times = { interval: '3s', wait: '2s', 'retry-interval': '100ms', fall: '1' };
    writeFileSync(path, JSON.stringify({ ...times, targets }));
    await using run = await startWatch(['--config', path, '--http', '127.0.0.1:0']);
    await run.until(/"to":"up"/);
    await run.until(/"to":"down"[^]*"to":"down"/);
    const dom = await domOf(`http://${run.base}/`);
    rmSync(folder, { recursive: true });
    expect(dom).toContain('<p id="summary" role="status">1 up, 2 down, 0 unknown</p>');
    expect(dom).toContain('<title>2 down \u2013 udpcat watch</title>');
    const rows = [...dom.matchAll(/<tr class="(\w+)"[^>]*>([^]*?)<\/tr>/g)].map(([, state, row = '']) => ({
      state,
      // Names, states and times: everything that a person reads.
      text: row.replaceAll(/<[^>]*>/g, ' '),
      bars: /aria-label="([^"]*)"/.exec(row)?.[1],
    }));
    expect(rows.map(({ state }) => state)).toEqual(['down', 'down', 'up']);
    expect(rows[0]?.text).toContain(` ${escaped(HOSTILE)} `);
    expect(rows[0]?.text).toMatch(/\u25bc down .* for \d/);
    expect(rows[0]?.bars).toMatch(/^last \d+ checks: \d+ refused$/);
    expect(rows[1]?.bars).toMatch(/^last \d+ checks: \d+ mismatch$/);
    expect(rows[2]?.text).toMatch(/^ {2}good .*\u25b2 up .* [\d.]+ ms .* [\d.]+ ms .* 0% /);
    expect(rows[2]?.text).toContain(`site=${escaped(HOSTILE)}`);
    expect(dom).not.toMatch(/<img|<script>document/);
  });

  test('a page of another origin gets nothing, and has nothing checked', async () => {
    await using peer = await echoServer();
    await using run = await startWatch([]);
    const target = `http://${run.base}/probe?target=${peer.address}`;
    const attack = `<!doctype html><body><p id="result">waiting</p>
      <img src="${target}"><iframe src="${target}"></iframe><script src="${target}"></script>
      <form id="form" method="post" target="frame" action="http://${run.base}/-/reload"></form><iframe name="frame"></iframe>
      <script>
        const tries = [
          fetch('${target}', { mode: 'no-cors' }).then((response) => response.type),
          fetch('${target}').then((response) => response.text()),
          fetch('http://${run.base}/targets').then((response) => response.text()),
        ];
        document.getElementById('form').submit();
        Promise.allSettled(tries).then((results) => {
          document.getElementById('result').textContent = results.map(({ status, value }) => value || status).join(' ');
        });
      </script>`;
    const site = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end(attack));
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    try {
      const { port } = site.address() as AddressInfo;
      // Another port of the same host is the same site to a browser; localhost is another one.
      for (const host of ['127.0.0.1', 'localhost']) {
        expect(await domOf(`http://${host}:${port}/`)).toContain('<p id="result">opaque rejected rejected</p>');
      }
      expect(peer.received).toEqual([]);
    } finally {
      site.close();
      site.closeAllConnections();
    }
  });
});
