import { UsageError } from '../cli/usage-error.js';
import { DatagramError } from '../net/index.js';
import { ExitCode } from '../run/exit-code.js';
import type { Report, WrittenReport } from '../run/report.js';
import type { RunOutput } from '../run/tap.js';
import type { ServiceManager } from './service-manager.js';

/** The parts of a run that are closed at its end. */
interface RunParts {
  readonly output: RunOutput;
  readonly report: Report;
  readonly manager: ServiceManager;
}

/**
 * Serves, and closes the output and the report at the end. Tells a failure on stderr.
 *
 * @param serve resolves when the service has ended
 * @param judge called with the written report and the result of `serve`. Returns the exit status.
 * @throws {UsageError} as `serve` does
 */
export async function runReported<Result>(
  { output, report, manager }: RunParts,
  serve: () => Promise<Result>,
  judge: (written: WrittenReport, result: Result) => ExitCode,
): Promise<ExitCode> {
  try {
    const result = await serve();
    return judge(await report.finish(output.close()).written(), result);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    report.failure(error);
    await report.finish(output.close()).written();
    return error instanceof DatagramError && error.code === 'QUEUE_FULL' ? ExitCode.dropped : ExitCode.failure;
  } finally {
    await manager.told();
  }
}
