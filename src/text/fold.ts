const INDENT = '  ';

/** The width of a summary at a terminal of 80 columns, where each line begins with `udpcat: `. */
export const SUMMARY_COLUMNS = 80 - 'udpcat: '.length;

/**
 * Breaks a line after commas and semicolons, so that no part is longer than `width` characters. All parts but the first are
 * indented by two blanks. A text without a comma or semicolon is not broken.
 */
export function fold(line: string, width: number): readonly string[] {
  const folded: string[] = [];
  let current = '';
  for (const piece of line.split(/(?<=[,;]) /)) {
    const longer = current === '' ? piece : `${current} ${piece}`;
    if (current === '' || longer.length <= width) current = longer;
    else {
      folded.push(current);
      current = `${INDENT}${piece}`;
    }
  }
  return [...folded, current];
}
