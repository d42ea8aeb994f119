/** Writes a whole number in groups of three digits: `1,204`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;
const BIT_UNITS = ['bit', 'kbit', 'Mbit', 'Gbit', 'Tbit'] as const;

/**
 * Writes a number of bytes: `512 B`, `40.2 kB`, `1.5 MB`. A unit is 1000 of the one before it; from kB on with a
 * decimal.
 */
export function formatBytes(bytes: number): string {
  return formatAmount(bytes, BYTE_UNITS);
}

/** Writes a number of bits as {@link formatBytes} writes bytes: `512 bit`, `40.2 kbit`, `1.5 Mbit`. */
export function formatBits(bits: number): string {
  return formatAmount(bits, BIT_UNITS);
}

function formatAmount(number: number, units: readonly string[]): string {
  let amount = Math.round(number);
  let unit = 0;
  // 999.95 would be shown as 1000.0: use the next unit.
  for (; amount >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1; unit += 1) amount /= 1000;
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit] ?? ''}`;
}

/** Writes a rate a second: `1,204/s`; below 10 with one decimal: `0.4/s`. */
export function formatRate(perSecond: number): string {
  return `${perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond))}/s`;
}
