/** Runs probes without a socket. */
import type { Finding } from '../../src/check/finding.js';
import { ProbeSession } from '../../src/probes/session.js';
import type { ProbeFixture } from './fixtures/fixture.js';

const SCENE = { local: { address: '127.0.0.1', port: 40_000 }, remote: { address: '127.0.0.1', port: 40_001 } };

/** A probe that was started: its request, and a function that judges payloads. */
export interface Started {
  readonly request: Buffer;
  readonly judge: (data: Uint8Array) => Finding;
}

/** Starts a probe. @param text as on the command line */
export async function startProbe(text: string, env: Readonly<Record<string, string>> = {}): Promise<Started> {
  const session = await ProbeSession.read(text, env);
  return { request: Buffer.from(await session.start(SCENE)), judge: session.judge };
}

/**
 * Starts the probe of a fixture. Returns all real replies of one exchange; a protocol with follow-ups has more than
 * one.
 */
export async function startExchange({
  probe,
  reply,
}: ProbeFixture): Promise<Started & { readonly replies: readonly Buffer[] }> {
  const started = await startProbe(probe);
  const replies: Buffer[] = [];
  for (let request: Uint8Array | undefined = started.request; request !== undefined && replies.length < 8;) {
    const data = reply(Buffer.from(request));
    replies.push(data);
    request = started.judge(data).followUp;
  }
  return { ...started, replies };
}
