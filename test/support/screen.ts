/** Works out what a terminal shows, for the control sequences that udpcat uses. */

/**
 * Returns the rows that a terminal shows after `written` was written to it. The cursor is in the last row. Understands
 * printable characters, carriage return, newline, colours, erasing from the cursor on, and moving the cursor to a column. Rows
 * are as long as the text: the terminal has no width.
 */
export function screen(written: string): string[] {
  const rows: string[][] = [[]];
  let column = 0;
  // eslint-disable-next-line no-control-regex -- control sequences of terminals
  for (const [part, erase, color, to] of written.matchAll(/(\x1b\[(?:K|0J))|(\x1b\[\d*m)|\x1b\[(\d+)G|[^]/gu)) {
    const row = rows.at(-1) ?? [];
    if (color !== undefined) continue;
    if (erase !== undefined) row.length = Math.min(row.length, column);
    else if (to !== undefined) column = Number(to) - 1;
    else if (part === '\r') column = 0;
    else if (part === '\n') {
      rows.push([]);
      column = 0;
    } else {
      if (/\p{Cc}/u.test(part)) throw new Error(`unexpected control character ${JSON.stringify(part)}`);
      while (row.length < column) row.push(' ');
      row[column] = part;
      column += 1;
    }
  }
  return rows.map((row) => row.join(''));
}
