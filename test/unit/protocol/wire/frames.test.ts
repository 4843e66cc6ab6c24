import * as assert from 'uvu/assert';
import { CHANNELS, decodeFrame, encodeFrame } from '../../../../protocol/wire/frames.ts';
import { spec } from '../../../spec.ts';

spec('stream frames', (it) => {
  for (const channel of CHANNELS) {
    it(`carries ${channel}`, () => {
      const frame = decodeFrame(encodeFrame(channel, 7, Uint8Array.of(1, 2, 3)));
      assert.equal(frame && { ...frame, payload: [...frame.payload] }, {
        channel,
        number: 7,
        payload: [1, 2, 3],
      });
    });
  }
  it('wraps the number at 32 bits', () =>
    assert.is(decodeFrame(encodeFrame('data', 2 ** 32 + 5, new Uint8Array()))?.number, 5));
  it('refuses short frames and unknown channels', () => {
    assert.is(decodeFrame(Uint8Array.of(0, 0, 0, 0)), undefined);
    assert.is(decodeFrame(Uint8Array.of(99, 0, 0, 0, 0)), undefined);
  });
  it('reads from the middle of a larger buffer', () => {
    const inner = encodeFrame('stdout', 3, Uint8Array.of(9));
    const outer = new Uint8Array(inner.length + 4);
    outer.set(inner, 4);
    assert.is(decodeFrame(outer.subarray(4))?.number, 3);
  });
});
