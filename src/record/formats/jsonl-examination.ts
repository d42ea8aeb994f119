import type { Examination, FileView, Patch } from '../file-view.js';

const NEWLINE = 0x0a;
const SPACE = 0x20;
/**
 * The beginning of each line that udpcat writes. It cannot be part of a payload, because quotes in payloads are
 * escaped.
 */
const START = Buffer.from('{"v":1,"type":"');
/** The maximum number of bytes of a line: more than the largest datagram needs. */
const MAX_LINE_BYTES = 1024 * 1024;

/**
 * Examines which part of a file is whole JSON lines.
 *
 * @param from Offset at which a line is known to begin, or 0.
 * @returns undefined if the file does not begin with a line that udpcat writes
 */
export async function examineJsonl(view: FileView, from = 0): Promise<Examination | undefined> {
  if (view.size === 0) return { wholeBytes: 0, patches: [] };
  if (!beginsAsOwn(await view.read(0, MAX_LINE_BYTES))) return undefined;
  const patches: Patch[] = [];
  let at = from;
  while (at < view.size) {
    await view.load(at);
    const block = view.bytes(at, MAX_LINE_BYTES);
    const end = block.lastIndexOf(NEWLINE) + 1;
    if (end === 0) break;
    patches.push(...closeParts(block.subarray(0, end), at));
    at += end;
  }
  const rest = view.bytes(at, MAX_LINE_BYTES);
  if (view.size - at >= MAX_LINE_BYTES) return { wholeBytes: at, patches, brokenAt: at };
  const lacksNewline = at < view.size && parseLine(rest) !== undefined;
  return { wholeBytes: at, patches, ...(lacksNewline && { missing: Buffer.from('\n') }) };
}

function beginsAsOwn(bytes: Buffer): boolean {
  // The first record may be cut off, too.
  const start = bytes.subarray(0, START.length);
  const end = bytes.indexOf(NEWLINE);
  if (start.equals(START.subarray(0, start.length))) return end < 0 || end >= START.length;
  return parseLine(bytes.subarray(0, end < 0 ? bytes.length : end))?.v === 1;
}

function parseLine(line: Buffer): { readonly v?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes patches that replace incomplete records by spaces. An incomplete record and the next whole one share a line.
 */
function closeParts(lines: Buffer, at: number): Patch[] {
  const patches: Patch[] = [];
  let lineStart = 0;
  while (lineStart < lines.length) {
    const lineEnd = lines.indexOf(NEWLINE, lineStart);
    const line = lines.subarray(lineStart, lineEnd);
    const last = line.lastIndexOf(START);
    if (last > 0 && line[0] !== SPACE && parseLine(line) === undefined) {
      patches.push({ at: at + lineStart, bytes: Buffer.alloc(last, SPACE) });
    }
    lineStart = lineEnd + 1;
  }
  return patches;
}
