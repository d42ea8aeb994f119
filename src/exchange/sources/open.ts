import type { ExchangePlan } from '../plan.js';
import { argumentsSource } from './arguments.js';
import type { Source, SourceOptions } from './source.js';

/**
 * Makes the source of the messages of a plan. The code of each kind is loaded only when it is needed. Messages on the command
 * line are the usual kind: their code is always loaded.
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
    case 'files': {
      const { filesSource } = await import('./files.js');
      return filesSource(messages.paths, plan, options);
    }
    case 'generated': {
      const { generatedSource } = await import('./generated.js');
      return generatedSource(messages, plan, limitBytes);
    }
    case 'stream': {
      const { streamSource } = await import('./stream.js');
      return streamSource(messages.format, plan, io, limitBytes);
    }
    case 'typing': {
      const { TypedSource } = await import('./typed.js');
      return TypedSource.of(plan.encoding, messages.eol, options);
    }
    case 'probe': {
      const { ProbeSource } = await import('./probe.js');
      return new ProbeSource(messages.probe, plan, limitBytes);
    }
    case 'replay': {
      const { ReplaySource } = await import('./replay.js');
      return new ReplaySource(messages.path, plan, options);
    }
  }
}
