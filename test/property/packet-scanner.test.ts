import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import * as assert from 'uvu/assert';
import { PacketScanner } from '../../kit/packet-scanner.ts';
import { spec } from '../spec.ts';

const connect: Packet = {
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clientId: 'x',
  clean: true,
  keepalive: 1,
};
const publish = (bytes: number): Packet => ({
  cmd: 'publish',
  topic: 't',
  payload: Buffer.alloc(bytes),
  qos: 0,
  retain: false,
  dup: false,
});

/** Cuts bytes at the given places. */
function* pieces(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  let from = 0;
  for (const cut of [...cuts.map((c) => c % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
}

spec('PacketScanner', (it) => {
  it('accepts whole packets however they are cut, and counts them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(20_000), { maxLength: 8 }),
        fc.array(fc.nat(200_000), { maxLength: 20 }),
        (sizes, cuts) => {
          const bytes = Buffer.concat([generate(connect), ...sizes.map((n) => generate(publish(n)))]);
          const scanner = new PacketScanner(1_000_000, 'client');
          for (const piece of pieces(bytes, cuts)) assert.is(scanner.feed(piece), undefined);
          assert.is(scanner.packets, sizes.length + 1);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('refuses a packet by its declared length alone, exactly above the limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 300_000 }), fc.integer({ min: -2, max: 2 }), (limit, over) => {
        const whole = generate(publish(limit - 8));
        const slack = limit - whole.length;
        const packet = generate(publish(limit - 8 + slack + over));
        const scanner = new PacketScanner(limit, 'client');
        scanner.feed(generate(connect));
        const problem = scanner.feed(packet.subarray(0, 5));
        assert.is(problem, packet.length > limit ? 'PacketTooLarge' : undefined);
      }),
    );
  });

  it('never throws on random bytes, and asks for a CONNECT first', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        const problem = new PacketScanner(100, 'client').feed(bytes);
        if ((bytes[0] ?? 0) >> 4 !== 1) assert.is(problem, 'Malformed');
      }),
    );
  });

  it('follows a broker from its first packet on, whatever that is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 300_000 }), fc.nat(2), (limit, over) => {
        const scanner = new PacketScanner(limit, 'broker');
        const packet = generate(publish(limit + over));
        assert.is(scanner.feed(generate({ cmd: 'pingresp' })), undefined);
        assert.is(scanner.feed(packet.subarray(0, 5)), 'PacketTooLarge');
      }),
    );
  });
});
