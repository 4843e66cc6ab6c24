import * as assert from 'uvu/assert';
import { Liveness } from '../../../../hub/fleet/liveness.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

const LEASE_MS = 8_000;

function setUp(...nodes: string[]): { clock: ManualClock; liveness: Liveness; told: string[] } {
  const clock = new ManualClock();
  const liveness = new Liveness({ clock, graceMs: 30_000 });
  for (const node of nodes) liveness.heard(node, LEASE_MS);
  const told: string[] = [];
  liveness.subscribe((node) => told.push(node));
  return { clock, liveness, told };
}

/** Heartbeats of the nodes every 3 s for as long as said. */
async function beat(
  clock: ManualClock,
  liveness: Liveness,
  nodes: readonly string[],
  forMs: number,
): Promise<void> {
  for (let passedMs = 0; passedMs < forMs; passedMs += 3_000) {
    for (const node of nodes) liveness.heard(node);
    await clock.advance(3_000);
  }
}

spec('Liveness', (it) => {
  it('takes a silent node for lost after its lease, and lets its pods go', async () => {
    const { clock, liveness, told } = setUp('a', 'b');
    await beat(clock, liveness, ['b'], 6_000);
    assert.is(liveness.isHeard('a'), true);
    await beat(clock, liveness, ['b'], 3_000);
    assert.is(liveness.isHeard('a'), false);
    assert.is(liveness.mayEvict('a'), true);
    assert.equal(told, ['a']);
    assert.is(liveness.heard('a'), false, 'says that it had been lost');
    assert.equal(told, ['a', 'a']);
  });

  it('blames itself when all fall silent together, and gives them time to come back', async () => {
    const { clock, liveness } = setUp('a', 'b', 'c');
    await clock.advance(1_000);
    liveness.heard('b');
    await clock.advance(20_000);
    assert.is(liveness.isHeard('a') || liveness.isHeard('b') || liveness.isHeard('c'), false);
    assert.is(liveness.mayEvict('a') || liveness.mayEvict('b'), false);
    await beat(clock, liveness, ['b'], 27_000);
    assert.is(liveness.mayEvict('a'), false);
    const told: string[] = [];
    liveness.subscribe((node) => told.push(node));
    await beat(clock, liveness, ['b'], 6_000);
    assert.is(liveness.mayEvict('a'), true);
    assert.ok(told.includes('a') && told.includes('c'), 'and says so');
  });

  it('starts all leases afresh after a stall of its own', async () => {
    const { clock, liveness } = setUp('a', 'b');
    clock.stall(LEASE_MS + 5_000);
    await clock.advance(1);
    assert.is(liveness.isHeard('a'), true);
    await beat(clock, liveness, ['b'], 42_000);
    assert.is(liveness.isHeard('a'), false, 'but not for ever');
  });

  it('gives nodes of before a restart the grace, and none to those that were lost already', async () => {
    const clock = new ManualClock();
    const liveness = new Liveness({ clock, graceMs: 30_000 });
    liveness.expect('a', LEASE_MS, true);
    liveness.expect('b', LEASE_MS, false);
    await clock.advance(20_000);
    assert.is(liveness.isHeard('a'), true);
    assert.is(liveness.isHeard('b'), false);
    assert.is(liveness.mayEvict('b'), false);
  });

  it('sets no timer per heartbeat', async () => {
    const { clock, liveness } = setUp('a', 'b');
    for (let i = 0; i < 100; i++) liveness.heard('a');
    assert.is(clock.pending, 1);
    liveness.stop();
    assert.is(clock.pending, 0);
  });
});
