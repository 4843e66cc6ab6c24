import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { StreamEndpoint } from '../../kit/stream-endpoint.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import { spec } from '../spec.ts';

type Fault = 'none' | 'drop' | 'twice' | 'swap';

/** Sends `writes` from left to right over a wire that damages frame number `at`; gives what arrived and how it ended. */
async function transfer(
  writes: readonly Uint8Array[],
  fault: Fault,
  at: number,
): Promise<{ arrived: Buffer; leftEnd: StreamEnd | undefined; rightEnd: StreamEnd | undefined }> {
  const arrived: Uint8Array[] = [];
  let leftEnd: StreamEnd | undefined;
  let rightEnd: StreamEnd | undefined;
  let count = 0;
  let kept: Uint8Array | undefined;
  const wire = (frame: Uint8Array): void => {
    const here = count++ === at ? fault : 'none';
    if (here === 'drop') return;
    if (here === 'swap') {
      kept = frame;
      return;
    }
    right.receive(frame);
    if (here === 'twice') right.receive(frame);
    if (kept !== undefined) {
      const late = kept;
      kept = undefined;
      right.receive(late);
    }
  };
  const nothing = (): void => undefined;
  const left = new StreamEndpoint({
    send: wire,
    onData: nothing,
    onEnd: nothing,
    onResize: nothing,
    onClose: (end) => {
      leftEnd = end;
    },
  });
  const right: StreamEndpoint = new StreamEndpoint({
    send: (frame) => left.receive(frame),
    onData: async (_, payload) => {
      arrived.push(payload.slice());
      await Promise.resolve();
    },
    onEnd: nothing,
    onResize: nothing,
    onClose: (end) => {
      rightEnd = end;
    },
  });
  for (const write of writes) await left.write('stdout', write);
  left.close();
  return { arrived: Buffer.concat(arrived), leftEnd, rightEnd };
}

const pieces = fc.array(
  fc.integer({ min: 1, max: 70_000 }).map((n) => new Uint8Array(n).fill(n % 251)),
  { minLength: 1, maxLength: 12 },
);

spec('StreamEndpoint properties', (it) => {
  it('delivers every byte in order over a sound wire, beyond the window too', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, async (writes) => {
        const { arrived, leftEnd, rightEnd } = await transfer(writes, 'none', 0);
        assert.ok(arrived.equals(Buffer.concat(writes)));
        assert.equal(leftEnd, {});
        assert.equal(rightEnd, {});
      }),
      { numRuns: 60 },
    );
  });

  it('turns loss, repeat and reordering into an error, never into damaged data', async () => {
    const faults = fc.constantFrom<Fault>('drop', 'twice', 'swap');
    await fc.assert(
      fc.asyncProperty(pieces, faults, fc.nat({ max: 20 }), async (writes, fault, at) => {
        const { arrived, rightEnd } = await transfer(writes, fault, at);
        const whole = Buffer.concat(writes);
        assert.ok(whole.subarray(0, arrived.length).equals(arrived), 'what arrived is a prefix');
        // A clean end may only be reported when everything came; without one the link's end tells.
        if (rightEnd !== undefined && rightEnd.reason === undefined) assert.is(arrived.length, whole.length);
      }),
      { numRuns: 150 },
    );
  });

  it('survives random bytes', async () => {
    await fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 }), (frames) => {
        let closes = 0;
        const s = new StreamEndpoint({
          send: () => undefined,
          onData: () => undefined,
          onEnd: () => undefined,
          onResize: () => undefined,
          onClose: () => {
            closes += 1;
          },
        });
        for (const frame of frames) s.receive(frame);
        assert.ok(closes <= 1);
      }),
      { numRuns: 300 },
    );
  });
});
