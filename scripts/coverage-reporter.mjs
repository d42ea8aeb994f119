// Keeps what the modules counted in each test file's process while `npm run coverage` runs; see jest.config.ts.
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export default class CoverageReporter {
  onTestResult(_test, { coverage }) {
    writeFileSync(join(process.env.UDPCAT_COVERAGE, `${randomUUID()}.json`), JSON.stringify(coverage ?? {}));
  }
}
