import { crc32 } from 'node:zlib';
import { hex } from './durable-json.ts';

/** One change of a batch as it lies in a record: `line` is `"key":json`, or for a removal `-"key"`; no newline in it. */
export interface EntryLine {
  readonly key: string;
  readonly line: Buffer;
  readonly removed: boolean;
}

/** An entry found in a segment; `offset` and `length` locate its line there. */
export interface EntryPosition {
  readonly key: string;
  readonly removed: boolean;
  readonly offset: number;
  readonly length: number;
}

/** Bytes of a segment that are no valid record. */
export interface BadRegion {
  readonly offset: number;
  readonly length: number;
  /** True when something written later proves that these bytes had been acknowledged; else they are a torn tail. */
  readonly acknowledged: boolean;
}

/** What a segment holds: whole records only, in the order they were written. */
export interface SegmentScan {
  readonly entries: readonly EntryPosition[];
  readonly records: number;
  readonly bad: readonly BadRegion[];
}

/** Writes a change as its line. `value` undefined removes the key; throws TypeError when it is not JSON. */
export function entryLine(key: string, value: unknown): EntryLine {
  const name = JSON.stringify(key);
  if (value === undefined) return { key, line: Buffer.from(`-${name}`), removed: true };
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`the value of ${name} is not JSON`);
  return { key, line: Buffer.from(`${name}:${json}`), removed: false };
}

/**
 * One atomic record: `#<crc32> <segment> <synced> <bytes>\n` and one line per change. The checksum covers the numbers too.
 * `syncedBytes` is how much of the segment was durable before: it tells a torn tail from damage, see `scanSegment`.
 */
export function encodeRecord(
  lines: readonly EntryLine[],
  segment: number,
  syncedBytes: number,
): { bytes: Buffer; bodyOffset: number } {
  const newline = Buffer.from('\n');
  const body = Buffer.concat(lines.flatMap((entry) => [entry.line, newline]));
  const numbers = `${segment} ${syncedBytes} ${body.length}\n`;
  const header = Buffer.from(`#${hex(crc32(body, crc32(numbers)))} ${numbers}`);
  return { bytes: Buffer.concat([header, body]), bodyOffset: header.length };
}

interface FoundRecord {
  readonly end: number;
  readonly bodyOffset: number;
  readonly syncedBytes: number;
}

const HEADER = /^#([0-9a-f]{8}) (\d{1,15}) (\d{1,15}) (\d{1,15})\n/;
const HEADER_BYTES = 60;
const NEWLINE = 0x0a;
const MINUS = 0x2d;

/**
 * Finds the valid records of a segment and what lies between them. A bad region is acknowledged when a later record says that
 * the segment was synced beyond its start. A region that is not acknowledged ends the segment: whatever follows it was
 * written in the same unsynced go, and is left out. Of a `closed` segment everything had been acknowledged. Pure; never throws.
 */
export function scanSegment(bytes: Buffer, segment: number, closed: boolean): SegmentScan {
  const found: { offset: number; record: FoundRecord }[] = [];
  const gaps: { offset: number; length: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const record = recordAt(bytes, at, segment);
    if (record !== undefined) {
      found.push({ offset: at, record });
      at = record.end;
      continue;
    }
    const next = nextRecord(bytes, at + 1, segment);
    gaps.push({ offset: at, length: next - at });
    at = next;
  }
  const syncedBytes = closed ? bytes.length : (found.at(-1)?.record.syncedBytes ?? 0);
  const tail = gaps.find((gap) => gap.offset >= syncedBytes);
  const bad = gaps
    .filter((gap) => gap.offset < syncedBytes)
    .map((gap): BadRegion => ({ ...gap, acknowledged: true }));
  const whole = found.filter((f) => tail === undefined || f.offset < tail.offset);
  if (tail !== undefined)
    bad.push({ offset: tail.offset, length: bytes.length - tail.offset, acknowledged: false });
  return {
    entries: whole.flatMap((f) => entriesOf(bytes, f.record)),
    records: whole.length,
    bad,
  };
}

function recordAt(bytes: Buffer, at: number, segment: number): FoundRecord | undefined {
  const header = HEADER.exec(bytes.toString('latin1', at, at + HEADER_BYTES));
  if (header === null || Number(header[2]) !== segment) return undefined;
  const bodyOffset = at + header[0].length;
  const end = bodyOffset + Number(header[4]);
  if (end > bytes.length) return undefined;
  const numbers = header[0].slice(header[0].indexOf(' ') + 1);
  if (hex(crc32(bytes.subarray(bodyOffset, end), crc32(numbers))) !== header[1]) return undefined;
  return { end, bodyOffset, syncedBytes: Number(header[3]) };
}

/** Start of the next valid record after `from`, or the end. Lines never start with `#`, so only `\n#` need be tried. */
function nextRecord(bytes: Buffer, from: number, segment: number): number {
  for (let at = bytes.indexOf('#', from); at >= 0; at = bytes.indexOf('#', at + 1)) {
    // Torn blocks may lack the newline before a record, so every # is tried whose header reads well.
    if (recordAt(bytes, at, segment) !== undefined) return at;
  }
  return bytes.length;
}

function entriesOf(bytes: Buffer, record: FoundRecord): EntryPosition[] {
  const entries: EntryPosition[] = [];
  for (let at = record.bodyOffset; at < record.end; ) {
    const stop = bytes.indexOf(NEWLINE, at);
    const removed = bytes[at] === MINUS;
    const key = parsedKey(removed ? bytes.subarray(at + 1, stop) : bytes.subarray(at, stop));
    entries.push({ key, removed, offset: at, length: stop - at });
    at = stop + 1;
  }
  return entries;
}

/** The key that a line `"key":json` starts with. Throws SyntaxError when it starts with none. */
export function parsedKey(line: Buffer): string {
  return JSON.parse(line.toString('utf8', 0, keyEnd(line))) as string;
}

/** The value of a line `"key":json`. Throws SyntaxError. */
export function parsedValue(line: Buffer): unknown {
  return JSON.parse(line.toString('utf8', keyEnd(line) + 1));
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function keyEnd(line: Buffer): number {
  let at = 1;
  while (at < line.length && line[at] !== QUOTE) at += line[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Keys that can still be read in damaged bytes, at most `limit`: what may have been lost with them. Never throws. */
export function keysIn(bytes: Buffer, limit: number): string[] {
  const keys = new Set<string>();
  for (const match of bytes.toString('utf8').matchAll(/^(?:#.*\n)?-?"((?:[^"\\]|\\.)*)"/gm)) {
    if (keys.size >= limit) break;
    if (match[1] !== undefined) keys.add(match[1]);
  }
  return [...keys];
}
