/** Run once before all tests: the commands that they start keep compiled code, and shall not keep it in the user's own cache. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function useOwnCache(): void {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-cache-'));
  // Jest's workers, and what they start, inherit it.
  process.env.XDG_CACHE_HOME = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
}
