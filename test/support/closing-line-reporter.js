/**
 * After jest's own summary: each skipped test by its full name, and as the very last line the totals.
 *
 * @implements {import('@jest/reporters').Reporter}
 */
export default class ClosingLineReporter {
  /**
   * @param {Set<unknown>} _contexts
   * @param {import('@jest/test-result').AggregatedResult} results
   */
  onRunComplete(_contexts, results) {
    const tests = results.testResults.flatMap((suite) => suite.testResults);
    const skipped = tests.filter(({ status }) => status === 'pending' || status === 'skipped' || status === 'todo');
    // A file that could not be loaded holds no failed test, and is a failure all the same.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const totals = [`${results.numPassedTests} passed`, `${failed} failed`];
    if (skipped.length > 0) totals.push(`${skipped.length} skipped`);
    const lines = [...skipped.map(({ fullName }) => `skipped: ${fullName}`), totals.join(', ')];
    // jest appends its summary after all other reporters.
    process.once('exit', () => process.stdout.write(`\n${lines.join('\n')}\n`));
  }
}
