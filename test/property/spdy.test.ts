import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { encodeSpdy, FrameReader, type SpdyFrame } from '../../hub/api/spdy/frames.ts';
import { parseHeaders, plainHeaders } from '../../hub/api/spdy/header-block.ts';
import { SpdySession } from '../../hub/api/spdy/session.ts';
import { SpdyError } from '../../hub/api/spdy/spdy-error.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const id = fc.integer({ min: 1, max: 0x7fffffff });
const word = fc.nat({ max: 0xffffffff });
const blob = fc.uint8Array({ maxLength: 200 });
const frames: fc.Arbitrary<SpdyFrame> = fc.oneof(
  fc.record({ type: fc.constant('data' as const), stream: id, payload: blob, fin: fc.boolean() }),
  fc.record({
    type: fc.constantFrom('syn-stream' as const, 'syn-reply' as const, 'headers' as const),
    stream: id,
    block: blob,
    fin: fc.boolean(),
  }),
  fc.record({ type: fc.constant('rst-stream' as const), stream: id, status: word }),
  fc.record({ type: fc.constant('ping' as const), id: word }),
  fc.record({ type: fc.constant('go-away' as const), lastStream: id, status: word }),
);

/** Frames with the pieces of one data frame put together again. */
function whole(read: readonly SpdyFrame[]): string[] {
  return read.map((frame) => {
    if (frame.type === 'data')
      return `data ${frame.stream} ${Buffer.from(frame.payload).toString('hex')} ${frame.fin}`;
    if ('block' in frame)
      return `${frame.type} ${frame.stream} ${Buffer.from(frame.block).toString('hex')} ${frame.fin}`;
    return JSON.stringify(frame);
  });
}

/** Splits so that no data frame is cut: only frames come in pieces, payloads are compared by stream below. */
function dataOf(read: readonly SpdyFrame[]): string {
  return read
    .flatMap((f) => (f.type === 'data' ? [Buffer.from(f.payload).toString('hex'), f.fin ? '.' : ''] : []))
    .join('');
}

const chunked = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, i) => bytes.subarray(at[i - 1] ?? 0, end));
};

spec('SPDY framing, any frames and any bytes', (it) => {
  it('gives back what was written, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(frames, { maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (sent, cuts) => {
          const bytes = Buffer.concat(sent.map(encodeSpdy));
          const reader = new FrameReader();
          const read = chunked(bytes, cuts).flatMap((chunk) => [...reader.read(chunk)]);
          assert.equal(
            whole(read.filter((f) => f.type !== 'data')),
            whole(sent.filter((f) => f.type !== 'data')),
          );
          assert.is(dataOf(read), dataOf(sent));
          assert.equal(whole([...new FrameReader().read(bytes)]), whole(sent));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads or refuses any bytes, and nothing else', () => {
    const start = fc.constantFrom('', '8003', '80030001', '8003000100', '80030006000000');
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 400 }), (hex, tail) => {
        try {
          const read = [...new FrameReader().read(Buffer.concat([Buffer.from(hex, 'hex'), tail]))];
          assert.ok(read.length <= 400);
        } catch (error) {
          assert.instance(error, SpdyError);
        }
        try {
          parseHeaders(Buffer.from(tail));
        } catch (error) {
          assert.instance(error, SpdyError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps headers as they are', () => {
    const texts = fc.string({ maxLength: 30 }).map((text) => text.toLowerCase());
    fc.assert(
      fc.property(fc.array(fc.tuple(texts, texts), { maxLength: 40 }), (entries) => {
        const headers = new Map(entries);
        assert.equal([...parseHeaders(plainHeaders(headers))], [...headers]);
      }),
    );
  });

  it('survives any client', async () => {
    const noise = fc.oneof(
      frames.map((frame) => encodeSpdy(frame)),
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(noise, { maxLength: 15 }), async (pieces) => {
        const [server, client] = duplexPair();
        client.on('error', () => undefined);
        client.resume();
        const onStream = (): { onData: () => void } => ({ onData: () => undefined });
        const session = new SpdySession({ socket: server, clock: new ManualClock(), onStream });
        const ended = session.run().catch((error: unknown) => assert.instance(error, SpdyError));
        for (const piece of pieces) client.write(piece);
        client.end();
        await ended;
        assert.ok(server.destroyed);
      }),
      { numRuns: 200 },
    );
  });
});
