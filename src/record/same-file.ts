import { statSync } from 'node:fs';

/** Whether two paths lead to the same file, links included. False if one of them does not exist or cannot be read. */
export function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map(identityOf);
  return a !== undefined && a === b;
}

function identityOf(path: string): string | undefined {
  try {
    const status = statSync(path, { bigint: true });
    return `${status.dev} ${status.ino}`;
  } catch {
    return undefined;
  }
}
