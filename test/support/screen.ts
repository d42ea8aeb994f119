/** Works out what a terminal shows, for the control sequences that udpcat uses. */

/**
 * Returns the rows that a terminal shows after `written` was written to it. Empty rows below the cursor are left out.
 * Understands printable characters, carriage return, newline, colours, erasing from the cursor on, and moving the cursor to
 * a column or to the row above. Rows are as long as the text: the terminal has no width.
 */
export function screen(written: string): string[] {
  const rows: string[][] = [[]];
  let line = 0;
  let column = 0;
  // eslint-disable-next-line no-control-regex -- control sequences of terminals
  const parts = written.matchAll(/(\x1b\[(?:K|0J))|(\x1b\[\d*m)|(\x1b\[A)|\x1b\[(\d+)G|[^]/gu);
  for (const [part, erase, color, up, to] of parts) {
    const row = rows[line] ?? [];
    if (color !== undefined) continue;
    if (up !== undefined) {
      line = Math.max(0, line - 1);
      continue;
    }
    if (erase !== undefined) {
      row.length = Math.min(row.length, column);
      if (erase.endsWith('J')) rows.length = line + 1;
    } else if (to !== undefined) column = Number(to) - 1;
    else if (part === '\r') column = 0;
    else if (part === '\n') {
      line += 1;
      rows[line] ??= [];
      column = 0;
    } else {
      if (/\p{Cc}/u.test(part)) throw new Error(`unexpected control character ${JSON.stringify(part)}`);
      while (row.length < column) row.push(' ');
      row[column] = part;
      column += 1;
    }
  }
  while (rows.length > line + 1 && rows.at(-1)?.join('').trim() === '') rows.pop();
  return rows.map((row) => row.join(''));
}
