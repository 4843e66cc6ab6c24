import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import type { Exchange, ListDocument } from './exchange.ts';

/** Text made at once: enough to be quick, little enough to leave the processor to others in between. */
const CHUNK_CHARS = 64 * 1024;

/** A list as JSON, piece by piece, so that a long one is never in memory as text. Throws what making an item throws. */
export function* listText({ head, field, items }: ListDocument): Generator<string, void> {
  let text = `${JSON.stringify(head).slice(0, -1)},"${field}":[`;
  let comma = '';
  for (const item of items) {
    text += comma + JSON.stringify(item);
    comma = ',';
    if (text.length < CHUNK_CHARS) continue;
    yield text;
    text = '';
  }
  yield `${text}]}\n`;
}

/** The text when it ends within about `limitChars`; else what there is of it. `parts` then has the rest. */
export function gathered(
  parts: Iterator<string, void>,
  limitChars: number,
): { readonly text: string; readonly whole: boolean } {
  let text = '';
  while (text.length <= limitChars) {
    const part = parts.next();
    if (part.done === true) return { text, whole: true };
    text += part.value;
  }
  return { text, whole: false };
}

/**
 * Writes a body whose length nobody knows yet, as fast as the client takes it, compressed off the main thread where asked for.
 * Resolves when it is out or the client is gone; rejects with what making the text throws, the connection being cut then.
 */
export async function stream(
  { response }: Exchange,
  parts: Iterable<string>,
  zipped: boolean,
): Promise<void> {
  // One piece ahead of the client, not sixteen.
  const text = Readable.from(parts, { highWaterMark: 1 });
  try {
    if (zipped) await pipeline(text, createGzip({ level: constants.Z_BEST_SPEED }), response);
    else await pipeline(text, response);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}
