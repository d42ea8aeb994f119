/**
 * Runs once before all tests. The command keeps compiled code in a cache folder; this sets a folder of the tests, so
 * that they do not use the cache of the user.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function useOwnCache(): void {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-cache-'));
  // The workers of jest, and the commands that they start, inherit the variable.
  process.env.XDG_CACHE_HOME = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
}
