/**
 * Returns the weight that a header such as `Accept` or `Accept-Encoding` gives a value (RFC 9110 section 12.5), from 0, which
 * refuses it, to 1.
 *
 * @param names the value and its wildcards, the most exact first, for example `application/json`, `application/*`
 */
export function weightOf(header: string, names: readonly string[]): number {
  const weights = new Map<string, number>();
  for (const part of header.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = quality === undefined ? 1 : Number(quality.slice(2));
    weights.set(name, Number.isNaN(weight) ? 0 : weight);
  }
  for (const name of names) {
    const weight = weights.get(name);
    if (weight !== undefined) return weight;
  }
  return 0;
}

/** Whether a client wants JSON more than plain text. */
export function prefersJson(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const json = weightOf(accept, ['application/json', 'application/*', '*/*']);
  return json > weightOf(accept, ['text/plain', 'text/*', '*/*']);
}

/** Whether a client takes compressed bodies. */
export function acceptsGzip(encodings: string | undefined): boolean {
  return encodings !== undefined && weightOf(encodings, ['gzip', 'x-gzip', '*']) > 0;
}
