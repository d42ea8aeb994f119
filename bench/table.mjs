// How figures are shown: with three digits, in tables that are Markdown and can be read as they are.

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A number with three digits that count, or more before the point. */
export function digits(value) {
  if (!(Math.abs(value) >= 0.001)) return value === 0 ? '0' : value.toFixed(3);
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

/** A figure with its unit; of rates the thousands and millions are named. */
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

/** A target in words, and whether a value reaches it. */
export const describeTarget = ({ least, most }) => (least === undefined ? `at most ${most}` : `at least ${least}`);
export const reaches = (value, { least = -Infinity, most = Infinity }) => value >= least && value <= most;

/** The lines of a table; the first column is aligned to the left, the others to the right. */
export function tableLines(header, rows) {
  const all = [header, ...rows];
  const widths = header.map((_, nth) => Math.max(3, ...all.map((row) => row[nth].length)));
  const line = (row) =>
    `| ${row.map((cell, nth) => (nth === 0 ? cell.padEnd(widths[nth]) : cell.padStart(widths[nth]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, nth) => (nth === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(header), rule, ...rows.map(line)];
}
