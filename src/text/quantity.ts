/** A whole number in groups of three digits: `1,204`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes with one decimal in units of 1000 from 1000 on: `512 B`, `40.2 kB`, `1.5 MB`. */
export function formatBytes(bytes: number): string {
  let amount = Math.round(bytes);
  let unit = 0;
  // What would be rounded to 1000.0 belongs to the next unit.
  for (; amount >= (unit === 0 ? 1000 : 999.95) && unit < BYTE_UNITS.length - 1; unit += 1) amount /= 1000;
  return `${unit === 0 ? amount : amount.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** How often in a second, with one decimal below 10: `1,204/s`, `0.4/s`. */
export function formatRate(perSecond: number): string {
  return `${perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond))}/s`;
}
