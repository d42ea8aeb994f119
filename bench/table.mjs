// Writes figures with three digits, in Markdown tables whose columns are aligned.

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Writes a number with three significant digits; all digits before the point are kept. */
export function digits(value) {
  if (!(Math.abs(value) >= 0.001)) return value === 0 ? '0' : value.toFixed(3);
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

/** Writes a figure with its unit. Rates are written in thousands (k/s) or millions (M/s). */
export function quantity(value, unit) {
  if (!unit.startsWith('/s')) return `${digits(value)} ${unit}`;
  for (const [factor, prefix] of [
    [1e6, ' M'],
    [1e3, ' k'],
  ]) {
    if (value >= factor) return digits(value / factor) + prefix + unit;
  }
  return digits(value) + unit;
}

/** Writes a target in words, with its unit if there is one. `reaches` tells whether a value reaches it. */
export function describeTarget({ least, most }, unit) {
  const value = least ?? most;
  return `at ${least === undefined ? 'most' : 'least'} ${unit === undefined ? value : quantity(value, unit)}`;
}
export const reaches = (value, { least = -Infinity, most = Infinity }) => value >= least && value <= most;

/** Returns the lines of a table. The first column is aligned to the left, the others to the right. */
export function tableLines(header, rows) {
  const all = [header, ...rows];
  const widths = header.map((_, nth) => Math.max(3, ...all.map((row) => row[nth].length)));
  const line = (row) =>
    `| ${row.map((cell, nth) => (nth === 0 ? cell.padEnd(widths[nth]) : cell.padStart(widths[nth]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, nth) => (nth === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(header), rule, ...rows.map(line)];
}
