import * as assert from 'uvu/assert';
import { Turn } from '../../../kit/turn.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { spec } from '../../spec.ts';

spec('Turn', (it) => {
  it('is over a few ms after the first question in it, and anew in the next turn', async () => {
    const clock = new ManualClock();
    const turn = new Turn(clock);
    clock.stall(1000);
    assert.is(turn.isOver, false, 'what was before is not its owner’s doing');
    clock.stall(3);
    assert.is(turn.isOver, false);
    clock.stall(3);
    assert.is(turn.isOver, true);
    await turn.next();
    assert.is(turn.isOver, false);
  });
});
