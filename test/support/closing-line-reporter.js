/**
 * Writes, after the summary of jest, the full name of each skipped test, and the totals as the very last line.
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
    // A file that could not be loaded has no failed test, but counts as a failure.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const totals = [`${results.numPassedTests} passed`, `${failed} failed`];
    if (skipped.length > 0) totals.push(`${skipped.length} skipped`);
    const lines = [...skipped.map(({ fullName }) => `skipped: ${fullName}`), totals.join(', ')];
    // jest writes its summary after all reporters, so this waits for the end of the process.
    process.once('exit', () => process.stdout.write(`\n${lines.join('\n')}\n`));
  }
}
