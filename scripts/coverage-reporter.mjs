// A jest reporter for `npm run coverage` (jest.config.ts): saves the counters of each test file.
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export default class CoverageReporter {
  onTestResult(_test, { coverage }) {
    writeFileSync(join(process.env.UDPCAT_COVERAGE, `${randomUUID()}.json`), JSON.stringify(coverage ?? {}));
  }
}
