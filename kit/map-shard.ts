import { join } from 'node:path';
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { DocumentCodec } from './durable-json.ts';
import { parsedKey } from './journal-record.ts';

/** One shard of a durable map: lines `"key":json` by key, holding everything of the segments up to `through`. */
export interface Shard {
  through: number;
  readonly lines: Map<string, Buffer>;
}

/** Which of `count` shards a key belongs to. Pure. */
export const shardOf = (key: string, count: number): number => crc32(key) % count;

/** Path of a shard's document. */
export function shardPath(directory: string, shard: number, count: number): string {
  return join(directory, `shard-${pad(shard)}-of-${pad(count)}.json`);
}

const SHARD_NAME = /^shard-(\d+)-of-(\d+)\.json(?:\.bak)?$/;

/** Shard number and count that a file name tells; undefined when it names no shard. Pure. */
export function shardInName(name: string): { shard: number; count: number } | undefined {
  const match = SHARD_NAME.exec(name);
  return match === null ? undefined : { shard: Number(match[1]), count: Number(match[2]) };
}

const pad = (n: number): string => String(n).padStart(2, '0');

/** Bytes handed on at once; a chunk's work stays far below the time that the event loop may be blocked. */
const CHUNK_BYTES = 256 * 1024;
const FORMAT = 'coxswain-map/1';
const NEWLINE = 0x0a;
const COMMA = 0x2c;

/**
 * A shard as one JSON document `{"format":…,"through":…,"entries":{…}}` with one entry per line. Entries are moved as bytes,
 * never parsed; both ways yield to the event loop. The shard must not change while it is written.
 */
export const shardCodec: DocumentCodec<Shard> = {
  encode: encodeShard,
  decode: decodeShard,
};

function* encodeShard(shard: Shard): Iterable<Uint8Array> {
  let parts: Uint8Array[] = [Buffer.from(`{"format":"${FORMAT}","through":${shard.through},"entries":{\n`)];
  let bytes = 0;
  let left = shard.lines.size;
  const [comma, newline] = [Buffer.from(',\n'), Buffer.from('\n')];
  for (const line of shard.lines.values()) {
    left -= 1;
    parts.push(line, left > 0 ? comma : newline);
    bytes += line.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(parts);
    parts = [];
    bytes = 0;
  }
  parts.push(Buffer.from('}}'));
  yield Buffer.concat(parts);
}

async function decodeShard(body: Buffer): Promise<Shard> {
  const first = body.indexOf(NEWLINE);
  const head: unknown = JSON.parse(`${body.toString('utf8', 0, first)}}}`);
  const through = throughOf(head);
  const lines = new Map<string, Buffer>();
  let pausedAt = first;
  for (let at = first + 1; ; ) {
    const stop = body.indexOf(NEWLINE, at);
    if (stop < 0) return { through, lines };
    const line = body.subarray(at, body[stop - 1] === COMMA ? stop - 1 : stop);
    lines.set(parsedKey(line), line);
    at = stop + 1;
    if (at - pausedAt < CHUNK_BYTES) continue;
    pausedAt = at;
    await yieldToLoop();
  }
}

function throughOf(head: unknown): number {
  if (typeof head !== 'object' || head === null) throw new SyntaxError('a shard starts with an object');
  if (!('format' in head) || head.format !== FORMAT)
    throw new SyntaxError(`a shard has the format ${FORMAT}`);
  if (!('through' in head) || typeof head.through !== 'number')
    throw new SyntaxError('a shard has a "through"');
  return head.through;
}
