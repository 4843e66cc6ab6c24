import * as assert from 'uvu/assert';
import { EarlyFrames } from '../../../../edge-agent/streams/early-frames.ts';
import { encodeFrame, FRAME_BYTES, WINDOW_BYTES } from '../../../../protocol/wire/frames.ts';
import { spec } from '../../../spec.ts';

const whole = (number: number): Uint8Array => encodeFrame('data', number, new Uint8Array(FRAME_BYTES));

spec('EarlyFrames', (it) => {
  it('keeps a whole window of whole frames, in order', () => {
    const early = new EarlyFrames();
    const sent = Array.from({ length: WINDOW_BYTES / FRAME_BYTES }, (_, i) => whole(i));
    for (const frame of sent) early.keep('s', frame);
    assert.equal(early.take('s'), sent);
    assert.equal(early.take('s'), []);
  });

  it('is bounded for each stream and in their number', () => {
    const early = new EarlyFrames();
    for (let i = 0; i < 1000; i++) early.keep('s', whole(i));
    assert.ok(early.take('s').length <= (2 * WINDOW_BYTES) / FRAME_BYTES);
    for (let i = 0; i < 100; i++) early.keep(`s${i}`, whole(0));
    const held = Array.from({ length: 100 }, (_, i) => early.take(`s${i}`).length);
    assert.ok(held.filter((n) => n > 0).length <= 8);
  });

  it('keeps nothing of a stream that has ended', () => {
    const early = new EarlyFrames();
    early.ended('s');
    early.keep('s', whole(0));
    assert.equal(early.take('s'), []);
  });
});
