/**
 * Frames of a stream (logs, exec, attach, port-forward): one MQTT message each, on the stream's own topics.
 * Byte 0 is the channel, bytes 1-4 the frame's number on this way (big endian, from 0), the rest the payload.
 * A gap in the numbers ends the stream with an error: frames travel at QoS 0, and half a file is worse than none.
 *
 * Flow control is by credit: a sender may have WINDOW_BYTES of payload of the data channels outstanding; the receiver
 * returns credit as it consumes. Closing needs no credit.
 */

/** Payload a sender may have in flight on one stream, in bytes. */
export const WINDOW_BYTES = 256 * 1024;
/** Largest payload of one frame, in bytes; small enough that a heartbeat never waits long behind it. */
export const FRAME_BYTES = 16 * 1024;
const HEAD_BYTES = 5;

/**
 * stdin, stdout, stderr carry data; `data` is the both-way channel of port-forward. `end` closes the named data
 * channel's direction (payload: its channel number). `resize` is JSON {Width, Height}. `credit` is a 4-byte count of
 * consumed payload bytes. `close` ends the stream: empty on success, else JSON StreamEnd.
 */
export const CHANNELS = ['stdin', 'stdout', 'stderr', 'data', 'end', 'resize', 'credit', 'close'] as const;
export type Channel = (typeof CHANNELS)[number];

/** How a stream ended. `exitCode` for exec; `reason` is a Kubernetes Status reason for errors. */
export interface StreamEnd {
  readonly exitCode?: number;
  readonly reason?: string;
  readonly message?: string;
}

export interface Frame {
  readonly channel: Channel;
  readonly number: number;
  readonly payload: Uint8Array;
}

/** Lays a frame out as bytes. The number wraps at 2^32. */
export function encodeFrame(channel: Channel, number: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEAD_BYTES + payload.length);
  out[0] = CHANNELS.indexOf(channel);
  new DataView(out.buffer).setUint32(1, number >>> 0);
  out.set(payload, HEAD_BYTES);
  return out;
}

/** Reads a frame; undefined when it is too short or of an unknown channel. The payload shares the input's memory. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const channel = CHANNELS[bytes[0] ?? 255];
  if (channel === undefined) return undefined;
  const number = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1);
  return { channel, number, payload: bytes.subarray(HEAD_BYTES) };
}
