import type { ArgumentSpec } from './arguments.js';
import type { Probe } from './probe.js';
import { findProbe } from './session.js';
import { PROBES } from './table.js';

/** Returns the text of `--probe help`: a line for each probe, with its arguments. */
export async function listProbes(): Promise<string> {
  const rows = await Promise.all(
    Object.entries(PROBES).map(async ([name, load]) => {
      const probe = await load();
      return { usage: usageOf(name, probe), summary: probe.summary };
    }),
  );
  const width = Math.max(...rows.map(({ usage }) => usage.length));
  const lines = rows.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}\n`);
  return `Probes, with their arguments in order; those in brackets may be left out:\n\n${lines.join('')}
--probe help:NAME tells more of one. Arguments may be given by name, as in --probe dns:example.com,type=AAAA.
`;
}

/** Returns the text of `--probe help:NAME`. @throws {ArgumentError} if there is no such probe */
export async function describeProbe(name: string): Promise<string> {
  const probe = await findProbe(name);
  const args = Object.entries(probe.arguments);
  const width = Math.max(0, ...args.map(([argument]) => argument.length));
  const lines = args.map(([argument, spec]) => `  ${argument.padEnd(width)}  ${describeArgument(spec)}\n`);
  const example = args.flatMap(([, spec]) => (isRequired(spec) ? [spec.example] : []));
  const written = example.length === 0 ? name : `${name}:${example.join(',')}`;
  return `${usageOf(name, probe)}

${probe.summary}, from ${probe.source}; on port ${probe.port} unless the address names one.

${probe.proves}

${lines.length === 0 ? 'It takes no arguments.\n' : `Arguments, by position or as NAME=VALUE:\n${lines.join('')}`}
Example: udpcat send HOST --probe ${written}
`;
}

function isRequired({ byDefault, mayBeMissing }: ArgumentSpec<unknown>): boolean {
  return byDefault === undefined && mayBeMissing !== true;
}

function describeArgument(spec: ArgumentSpec<unknown>): string {
  const { help, byDefault, example, secret } = spec;
  const needed = isRequired(spec) ? 'required' : 'optional';
  const stands = byDefault === undefined ? `${needed}, such as ${example}` : `default: ${byDefault}`;
  return `${help} (${stands})${secret ? '; env:NAME takes it from the environment' : ''}`;
}

function usageOf(name: string, { arguments: table }: Probe): string {
  const args = Object.entries(table).map(([argument, spec]) => (isRequired(spec) ? argument : `[${argument}]`));
  return args.length === 0 ? name : `${name}:${args.join(',')}`;
}
