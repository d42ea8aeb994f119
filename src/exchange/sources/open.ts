import type { ExchangePlan } from '../plan.js';
import { argumentsSource } from './arguments.js';
import { filesSource } from './files.js';
import { generatedSource } from './generated.js';
import { ProbeSource } from './probe.js';
import type { Source, SourceOptions } from './source.js';
import { streamSource } from './stream.js';
import { TypedSource } from './typed.js';

/**
 * The source of the messages that a plan names.
 *
 * @throws {UsageError} for a message that cannot be sent as the plan says
 * @throws {LocalFailure} for a message that cannot be read
 */
export async function openSource(plan: ExchangePlan, options: SourceOptions): Promise<Source> {
  const { messages } = plan;
  const { io, limitBytes } = options;
  switch (messages.kind) {
    case 'payloads':
      return argumentsSource(messages.payloads, plan, limitBytes);
    case 'files':
      return filesSource(messages.paths, plan, io, limitBytes);
    case 'generated':
      return generatedSource(messages.bytes, plan, limitBytes);
    case 'stream':
      return streamSource(messages.format, plan, io, limitBytes);
    case 'typing':
      return new TypedSource(io, plan.encoding);
    case 'probe':
      return new ProbeSource(messages.probe, plan, limitBytes);
    case 'replay': {
      const { ReplaySource } = await import('./replay.js');
      return new ReplaySource(messages.path, plan, options);
    }
  }
}
