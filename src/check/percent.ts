/**
 * Returns a share in percent: below 1 with two significant digits, otherwise with two decimals. Only a whole is 100, and only
 * nothing is 0. Without a whole it is 0.
 */
export function percentOf(part: number, whole: number): number {
  if (part === 0 || whole === 0) return 0;
  if (part === whole) return 100;
  const percent = (part / whole) * 100;
  return percent < 1 ? Number(percent.toPrecision(2)) : Math.min(99.99, Math.round(percent * 100) / 100);
}
