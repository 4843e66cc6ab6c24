import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { decodeControl, decodeReport } from '../../protocol/wire/decode.ts';
import { decodeFrame, encodeFrame } from '../../protocol/wire/frames.ts';
import { decodeTelemetry, encodeTelemetry } from '../../protocol/wire/telemetry.ts';
import { spec } from '../spec.ts';

const messageLike = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.json().map((text) => new TextEncoder().encode(text)),
  fc
    .record({
      t: fc.constantFrom(
        'hello',
        'status',
        'events',
        'sync',
        'refused',
        'desired',
        'open',
        'ack',
        '__proto__',
      ),
      boot: fc.string(),
      seq: fc.integer(),
      pods: fc.anything(),
      items: fc.anything(),
      have: fc.anything(),
    })
    .map((value) => new TextEncoder().encode(JSON.stringify(value))),
);

spec('the doors of the wire', (it) => {
  it('answer anything with a message or a reason, never an exception', () => {
    fc.assert(
      fc.property(messageLike, (bytes) => {
        for (const decoded of [decodeReport(bytes), decodeControl(bytes), decodeTelemetry(bytes)]) {
          if (!decoded.ok) assert.ok(decoded.why.length > 0);
        }
        decodeFrame(bytes);
      }),
      { numRuns: 2000 },
    );
  });
  it('give back every frame that was sent', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('stdin' as const, 'stdout' as const, 'close' as const),
        fc.nat(),
        fc.uint8Array(),
        (channel, number, payload) => {
          assert.equal(decodeFrame(encodeFrame(channel, number, payload)), { channel, number, payload });
        },
      ),
    );
  });
  it('lose nothing of a sample but its last digits', () => {
    const ratio = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(ratio, ratio, fc.integer({ min: 0, max: 2 ** 30 }), (cpuRatio, diskRatio, usedKiB) => {
        const sample = {
          windowMs: 1000,
          cpuRatio,
          diskRatio,
          memoryUsedBytes: usedKiB * 1024,
          memoryTotalBytes: 2 ** 40,
        };
        const decoded = decodeTelemetry(encodeTelemetry(sample));
        assert.ok(decoded.ok && decoded.value !== undefined);
        assert.ok(Math.abs(decoded.value.cpuRatio - cpuRatio) <= 0.0005);
        assert.is(decoded.value.memoryUsedBytes, usedKiB * 1024);
      }),
    );
  });
});
