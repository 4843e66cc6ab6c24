/** Why bytes are no protobuf message we can use; the text goes into a 400 of the API. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
  readonly reason: 'malformed' | 'unknown-kind' | 'too-deep' | 'too-large';

  constructor(reason: ProtobufError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** One field of a message: a number for the wire types varint and fixed, bytes for the length-delimited. */
export interface WireField {
  readonly number: number;
  readonly value: bigint | Uint8Array;
  /** Wire type: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  readonly wire: number;
}

/** Walks the fields of one message. Throws ProtobufError on bytes that are none. */
export function* readFields(bytes: Uint8Array): Generator<WireField> {
  const cursor = { at: 0 };
  while (cursor.at < bytes.length) {
    const tag = Number(readVarint(bytes, cursor));
    const wire = tag & 7;
    const number = Math.floor(tag / 8);
    if (number < 1) throw new ProtobufError('malformed', `field number ${number} at byte ${cursor.at}`);
    yield { number, wire, value: readValue(bytes, cursor, wire) };
  }
}

interface Cursor {
  at: number;
}

function readValue(bytes: Uint8Array, cursor: Cursor, wire: number): bigint | Uint8Array {
  switch (wire) {
    case 0:
      return readVarint(bytes, cursor);
    case 1:
      return readFixed(bytes, cursor, 8);
    case 2:
      return readBytes(bytes, cursor, Number(readVarint(bytes, cursor)));
    case 5:
      return readFixed(bytes, cursor, 4);
    default:
      throw new ProtobufError('malformed', `wire type ${wire} at byte ${cursor.at}`);
  }
}

/** The next varint, of at most ten bytes, as an unsigned 64-bit number. */
function readVarint(bytes: Uint8Array, cursor: Cursor): bigint {
  // Nearly all tags and lengths fit 28 bits; plain numbers are much faster there than bigints.
  let low = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = nextByte(bytes, cursor);
    low |= (byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt(low);
  }
  let value = BigInt(low);
  for (let shift = 28n; shift < 70n; shift += 7n) {
    const byte = nextByte(bytes, cursor);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asUintN(64, value);
  }
  throw new ProtobufError('malformed', `varint longer than ten bytes at byte ${cursor.at}`);
}

function nextByte(bytes: Uint8Array, cursor: Cursor): number {
  const byte = bytes[cursor.at++];
  if (byte === undefined) throw new ProtobufError('malformed', 'the message ends within a field');
  return byte;
}

function readBytes(bytes: Uint8Array, cursor: Cursor, length: number): Uint8Array {
  if (length > bytes.length - cursor.at)
    throw new ProtobufError('malformed', `a field of ${length} bytes exceeds the message`);
  const part = bytes.subarray(cursor.at, cursor.at + length);
  cursor.at += length;
  return part;
}

function readFixed(bytes: Uint8Array, cursor: Cursor, length: 4 | 8): bigint {
  const part = readBytes(bytes, cursor, length);
  return part.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

/** Text of a length-delimited field; throws ProtobufError when it is no UTF-8. */
export function textOf({ value, number }: WireField): string {
  if (typeof value === 'bigint') throw new ProtobufError('malformed', `field ${number} is not a text`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch (cause) {
    throw new ProtobufError('malformed', `field ${number} is not UTF-8: ${String(cause)}`);
  }
}

/** Bytes of a length-delimited field; throws ProtobufError on another wire type. */
export function bytesOf({ value, number }: WireField): Uint8Array {
  if (typeof value === 'bigint') throw new ProtobufError('malformed', `field ${number} is not bytes`);
  return value;
}

/** Signed whole number of a varint field, exact up to 2^53; throws ProtobufError on another wire type. */
export function intOf({ value, number }: WireField, bits: 32 | 64): number {
  if (typeof value !== 'bigint') throw new ProtobufError('malformed', `field ${number} is not a number`);
  return Number(BigInt.asIntN(bits, value));
}
