import { HttpError } from '../../http/reply.js';

/** The members of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

/** Reads a body of JSON. @throws {HttpError} 400 */
export function readJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new HttpError(400, `bad request body: ${body === '' ? 'it is empty' : (error as Error).message}`);
  }
}

/** Reads a body that is a JSON object. @throws {HttpError} 400 */
export function readFields(body: string): Fields {
  return asFields(readJson(body));
}

/** @throws {HttpError} 400 for a value that is no JSON object */
export function asFields(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new HttpError(400, 'bad request body: it must be a JSON object');
}

/** Returns a field that is text; empty if it is not there. @throws {HttpError} 400 */
export function readText(fields: Fields, name: string): string {
  const value = fields[name] ?? '';
  if (typeof value === 'string') return value;
  throw new HttpError(400, `bad request body: "${name}" must be text`);
}

/** Returns a field that is true or false. @throws {HttpError} 400 */
export function readFlag(fields: Fields, name: string, byDefault: boolean): boolean {
  const value = fields[name] ?? byDefault;
  if (typeof value === 'boolean') return value;
  throw new HttpError(400, `bad request body: "${name}" must be true or false`);
}
