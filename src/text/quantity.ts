/** Writes a whole number in groups of three digits: `1,204`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/**
 * Writes a number of bytes: `512 B`, `40.2 kB`, `1.5 MB`. A unit is 1000 of the one before it; from kB on with a
 * decimal.
 */
export function formatBytes(bytes: number): string {
  let amount = Math.round(bytes);
  let unit = 0;
  // 999.95 would be shown as 1000.0: use the next unit.
  for (; amount >= (unit === 0 ? 1000 : 999.95) && unit < BYTE_UNITS.length - 1; unit += 1) amount /= 1000;
  return `${unit === 0 ? amount : amount.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** Writes a rate a second: `1,204/s`; below 10 with one decimal: `0.4/s`. */
export function formatRate(perSecond: number): string {
  return `${perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond))}/s`;
}
