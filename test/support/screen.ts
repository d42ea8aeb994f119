/** What a terminal shows, as far as udpcat uses one. */

/**
 * The rows of a terminal that was written to; the last one is where the cursor is. It understands carriage return,
 * newline, printable characters, colours, and the erasing of a line from the cursor on.
 */
export function screen(written: string): string[] {
  const rows: string[][] = [[]];
  let column = 0;
  // eslint-disable-next-line no-control-regex -- they are what a terminal acts upon
  for (const [part, erase, color] of written.matchAll(/(\x1b\[K)|(\x1b\[\d*m)|[^]/gu)) {
    const row = rows.at(-1) ?? [];
    if (color !== undefined) continue;
    if (erase !== undefined) row.length = Math.min(row.length, column);
    else if (part === '\r') column = 0;
    else if (part === '\n') {
      rows.push([]);
      column = 0;
    } else {
      if (/\p{Cc}/u.test(part)) throw new Error(`a terminal would act upon ${JSON.stringify(part)}`);
      while (row.length < column) row.push(' ');
      row[column] = part;
      column += 1;
    }
  }
  return rows.map((row) => row.join(''));
}
