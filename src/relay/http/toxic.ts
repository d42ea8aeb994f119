import { Random } from '../../faults/random.js';
import { HttpError } from '../../http/reply.js';
import { ValueError } from '../../net/errors.js';
import type { Way } from '../plan.js';
import { type Fields, readFields, readText } from './fields.js';
import { type Action, type Attributes, TCP_TYPES, TOXIC_TYPES, type ToxicType } from './toxic-types.js';

/** The names that toxiproxy has for the ways. */
export const STREAMS: Readonly<Record<Way, string>> = { up: 'upstream', down: 'downstream' };

/** A toxic, as JSON has it. */
export interface ToxicFields {
  readonly attributes: Attributes;
  readonly name: string;
  readonly type: string;
  readonly stream: string;
  /** The share of sessions that it acts on, from 0 to 1. */
  readonly toxicity: number;
}

/** A fault, or several, that the API has a name for. */
export interface Toxic {
  readonly fields: ToxicFields;
  readonly way: Way;
  readonly action: Action;
  /** Whether it acts on a session. */
  readonly actsOn: (session: number) => boolean;
}

/**
 * Makes a toxic.
 *
 * @param seed decides by session and name which sessions it acts on
 * @throws {HttpError} 400 if a field is wrong
 */
export function createToxic(fields: ToxicFields, seed: number): Toxic {
  const { name, type, stream, toxicity, attributes } = fields;
  const found = typeOf(type);
  if (!(toxicity >= 0 && toxicity <= 1)) throw badBody('"toxicity" must be a number from 0 to 1');
  const way = stream === 'upstream' ? 'up' : 'down';
  const actsOn = toxicity === 1 ? () => true : (session: number) => fractionOf(seed, name, session) < toxicity;
  const complete = { ...found.defaults, ...attributes };
  const { faults, ...others } = actionOf(found, complete);
  const directed = toxicity === 1 ? faults : faults.map((fault) => ({ ...fault, actsOn }));
  return { fields: { ...fields, attributes: complete }, way, action: { faults: directed, ...others }, actsOn };
}

function typeOf(type: string): ToxicType {
  if (TCP_TYPES.has(type))
    throw new HttpError(400, `invalid toxic type: ${type} is of TCP, and UDP has no connections`);
  const found = Object.hasOwn(TOXIC_TYPES, type) ? TOXIC_TYPES[type] : undefined;
  if (found !== undefined) return found;
  throw new HttpError(400, `invalid toxic type: it is one of ${Object.keys(TOXIC_TYPES).join(', ')}`);
}

function actionOf(type: ToxicType, attributes: Attributes): Action {
  try {
    return type.act(attributes);
  } catch (error) {
    if (error instanceof ValueError) throw badBody(error.message);
    throw error;
  }
}

function badBody(why: string): HttpError {
  return new HttpError(400, `bad request body: ${why}`);
}

/** Draws a number from 0 to below 1 for a session. */
function fractionOf(seed: number, name: string, session: number): number {
  const random = new Random([1, 0, 0, 0]);
  random.moveTo(seed, hash(name), session, 0);
  return random.fraction();
}

/** The hash FNV-1a of 32 bits (draft-eastlake-fnv). */
function hash(text: string): number {
  return Buffer.from(text).reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), 0x811c9dc5);
}

/** Reads the body that adds a toxic. @throws {HttpError} 400 */
export function readToxic(body: string, seed: number): Toxic {
  const fields = readFields(body);
  const stream = readText(fields, 'stream') || STREAMS.down;
  if (!Object.values(STREAMS).includes(stream)) {
    throw new HttpError(400, 'stream was invalid, can be either upstream or downstream');
  }
  const type = readText(fields, 'type');
  const name = readText(fields, 'name') || `${type}_${stream}`;
  return createToxic(
    { attributes: readAttributes(fields), name, type, stream, toxicity: readToxicity(fields) ?? 1 },
    seed,
  );
}

/** Reads the body that changes a toxic: its toxicity, and some or all of its attributes. @throws {HttpError} 400 */
export function readChange(body: string, { fields }: Toxic, seed: number): Toxic {
  const changed = readFields(body);
  const attributes = { ...fields.attributes, ...readAttributes(changed) };
  return createToxic({ ...fields, attributes, toxicity: readToxicity(changed) ?? fields.toxicity }, seed);
}

function readAttributes({ attributes = null }: Fields): Attributes {
  if (attributes === null) return {};
  if (typeof attributes === 'object' && !Array.isArray(attributes)) return attributes as Attributes;
  throw badBody('"attributes" must be an object');
}

function readToxicity({ toxicity = null }: Fields): number | undefined {
  if (toxicity === null) return undefined;
  if (typeof toxicity === 'number') return toxicity;
  throw badBody('"toxicity" must be a number from 0 to 1');
}
