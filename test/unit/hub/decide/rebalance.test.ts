import * as assert from 'uvu/assert';
import type { LiveState, NodeState } from '../../../../hub/decide/node-state.ts';
import type { PodToPlace } from '../../../../hub/decide/pod-to-place.ts';
import { isStillBetter, judgeMove, type Outlook } from '../../../../hub/decide/rebalance.ts';
import {
  mostUsed,
  rangeOf,
  withReading,
  withSilence,
  withUse,
} from '../../../../hub/decide/rebalance-load.ts';
import { planRound, type Round, type Wish } from '../../../../hub/decide/rebalance-round.ts';
import { DEFAULT_REBALANCE_TIMES as TIMES } from '../../../../hub/decide/rebalance-times.ts';
import { live, nodeOf, podOf } from '../../../build/placement.ts';
import { spec } from '../../../spec.ts';

const MINUTE_MS = 60_000;
const LONG_MS = TIMES.longMs;
const MIB = 2 ** 20;

const using = (cpuMilli: number): PodToPlace => podOf({ estimate: { cpuMilli, memoryBytes: 8 * MIB } });

/** What is thought of a move between two nodes that did what they do now for `knownMs`. */
function verdict(
  from: LiveState | undefined,
  to: LiveState | undefined,
  parts: Partial<Outlook> & { knownMs?: number; fromNode?: Partial<NodeState>; toMost?: LiveState } = {},
): string {
  const { knownMs = LONG_MS, fromNode, toMost, ...outlook } = parts;
  const range = (of: LiveState | undefined, most = of) =>
    of === undefined || most === undefined ? undefined : { knownMs, least: of, most };
  const pod = outlook.pod ?? using(400);
  const busy = { cpuMilli: -pod.estimate.cpuMilli, memoryBytes: -pod.estimate.memoryBytes };
  const judged = judgeMove(
    {
      pod,
      from: nodeOf('from', { live: from, assumed: busy, ...fromNode }),
      to: nodeOf('to', { live: to }),
      beside: { rules: 0, price: 0 },
      unruly: false,
      ...outlook,
    },
    { from: range(from), to: range(to, toMost) },
    TIMES,
  );
  return judged.do === 'leave' ? `${judged.why}${judged.byLoad ? ' by load' : ''}` : judged.do;
}

spec('judgeMove', (it) => {
  const cases: readonly [string, string, string][] = [
    ['stays where nothing is wrong', verdict(live(0.3), live(0.3)), 'stay'],
    ['stays for a difference among idle nodes', verdict(live(0.45), live(0.05)), 'stay'],
    ['leaves a loaded node', verdict(live(0.84), live(0.1)), 'load by load'],
    ['leaves a hot node for less', verdict(live(0.9), live(0.55)), 'load by load'],
    ['waits until the load is long', verdict(live(0.9), live(0.1), { knownMs: LONG_MS - 1 }), 'wait'],
    ['stays when the load would come along', verdict(live(0.95), live(0.1), { pod: using(1_700) }), 'stay'],
    [
      'stays when it is not what makes the node hot',
      verdict(live(0.95), live(0.1), { pod: using(40) }),
      'stay',
    ],
    [
      'leaves a board that is slowed down',
      verdict(live(0.3, 0.2, { throttled: true }), live(0.1)),
      'heat by load',
    ],
    ['stays on a warm one', verdict(live(0.3, 0.2, { temperatureCelsius: 70 }), live(0.1)), 'stay'],
    ['stays when the memory that is short is not its own', verdict(live(0.2, 0.9), live(0.2, 0.2)), 'stay'],
    [
      'leaves full memory that it makes full',
      verdict(live(0.2, 0.9), live(0.2, 0.2), {
        pod: podOf({ estimate: { cpuMilli: 20, memoryBytes: 200 * MIB } }),
      }),
      'load by load',
    ],
    [
      'leaves for its own kind being there',
      verdict(live(0.1), live(0.1), { beside: { rules: 1_000, price: 0 } }),
      'rules',
    ],
    [
      'and not for a little of that',
      verdict(live(0.1), live(0.1), { beside: { rules: 200, price: 0 } }),
      'stay',
    ],
    ['leaves for a price', verdict(live(0.1), live(0.1), { beside: { rules: 0, price: 1_000 } }), 'price'],
    [
      'waits for what objects say until a peak of the other node is old',
      verdict(live(0.1), live(0.1), { beside: { rules: 0, price: 1_000 }, toMost: live(0.7) }),
      'wait',
    ],
    ['but not to a busy node', verdict(live(0.1), live(0.7), { beside: { rules: 0, price: 1_000 } }), 'stay'],
    ['leaves where a rule does not hold any more', verdict(live(0.1), live(0.1), { unruly: true }), 'rules'],
    ['trusts objects where its own node is silent', verdict(undefined, live(0.1), { unruly: true }), 'rules'],
    ['goes nowhere that is silent', verdict(live(0.99), undefined, { unruly: true }), 'stay'],
  ];
  for (const [name, is, expected] of cases) it(name, () => assert.is(is, expected));
});

spec('isStillBetter', (it) => {
  const still = (from: LiveState | undefined, to: LiveState | undefined, price = 0): boolean =>
    isStillBetter({
      pod: using(20),
      from: nodeOf('from', { live: from }),
      to: nodeOf('to', { live: to }),
      beside: { rules: 280, price },
      unruly: false,
    });
  it('takes a node that is busy starting the replacement for no worse', () => {
    assert.ok(still(live(0.05), live(0.1)));
    assert.ok(still(live(0.05), live(0.45)));
  });
  it('gives up for one that has got much worse, unless much is gained', () => {
    assert.not(still(live(0.05), live(0.75)));
    assert.not(still(live(0.05), live(0.95)));
    assert.ok(still(live(0.9), live(0.95)));
  });
  it('goes by objects alone where one of them is silent', () => {
    assert.ok(still(undefined, live(0.99)));
  });
});

spec('the load of a long time', (it) => {
  it('forgets peaks in its least and dips in its most', () => {
    let history = withReading(undefined, live(0.3), 0, TIMES);
    for (let atMs = 3_000; atMs <= 20 * MINUTE_MS; atMs += 3_000) {
      const isPeak = atMs % (6 * MINUTE_MS) < 4 * MINUTE_MS;
      history = withReading(history, live(isPeak ? 0.95 : 0.3), atMs, TIMES);
      const range = rangeOf(history, atMs, TIMES);
      assert.is(range?.least.heldCpuRatio, 0.3);
      if (atMs > 5 * MINUTE_MS) assert.is(range?.most.heldCpuRatio, 0.95);
    }
    assert.ok(history.stretches.length <= 32, 'stays small');
  });

  it('counts the last reading as long as nothing else is told', () => {
    const history = withReading(withReading(undefined, live(0.2), 0, TIMES), live(0.9), MINUTE_MS, TIMES);
    assert.is(rangeOf(history, 5.5 * MINUTE_MS, TIMES)?.least.heldCpuRatio, 0.2);
    assert.is(rangeOf(history, 6.5 * MINUTE_MS, TIMES)?.least.heldCpuRatio, 0.9);
    assert.is(rangeOf(history, MINUTE_MS, TIMES)?.knownMs, MINUTE_MS);
    assert.is(rangeOf(history, 60 * MINUTE_MS, TIMES)?.knownMs, LONG_MS);
  });

  it('goes on after a late beat, and begins anew after a silence', () => {
    const history = withReading(undefined, live(0.9), 0, TIMES);
    const late = withSilence(history, MINUTE_MS, MINUTE_MS + 5_000, TIMES);
    assert.is(late && rangeOf(late, MINUTE_MS + 5_000, TIMES), undefined, 'nothing is known meanwhile');
    const heard = withReading(late, live(0.3), MINUTE_MS + TIMES.gapMs, TIMES);
    assert.is(heard.sinceMs, 0);
    assert.is(rangeOf(heard, MINUTE_MS + TIMES.gapMs, TIMES)?.least.heldCpuRatio, 0.3);
    assert.is(late && withSilence(late, MINUTE_MS, MINUTE_MS + TIMES.gapMs + 1, TIMES), undefined);
    const tooLate = MINUTE_MS + TIMES.gapMs + 1;
    assert.is(withReading(late, live(0.3), tooLate, TIMES).sinceMs, tooLate);
  });

  it('knows the most that a pod used', () => {
    let history = withUse(undefined, { cpuMilli: 10, memoryBytes: 5 }, 0, TIMES);
    history = withUse(history, { cpuMilli: 500, memoryBytes: 1 }, 1_000, TIMES);
    history = withUse(history, { cpuMilli: 20, memoryBytes: 1 }, LONG_MS, TIMES);
    assert.equal(mostUsed(history), { cpuMilli: 500, memoryBytes: 5 });
    history = withUse(history, { cpuMilli: 20, memoryBytes: 1 }, 2 * LONG_MS, TIMES);
    assert.equal(mostUsed(history), { cpuMilli: 20, memoryBytes: 1 });
  });
});

const wish = (parts: Partial<Wish> = {}): Wish => ({
  key: 'rs/a',
  podUid: 'p',
  deployment: 'default/web',
  scope: 'default',
  maxMovesPerHour: 6,
  isPreview: false,
  from: 'a',
  to: 'b',
  why: 'rules',
  gain: 4,
  byLoad: false,
  reliefRatio: 0.1,
  ...parts,
});

const round = (wishes: readonly Wish[], parts: Partial<Round> = {}): Round => ({
  nowMs: 10 * MINUTE_MS,
  times: TIMES,
  wishes,
  isForming: false,
  standing: new Map(wishes.map(({ key }) => [key, 0])),
  stirredAtMs: undefined,
  moving: [],
  isPlacing: false,
  begun: () => 0,
  restsUntilMs: () => 0,
  movedAtMs: () => Number.NEGATIVE_INFINITY,
  ...parts,
});

spec('planRound', (it) => {
  const stands = (ms: number): ReadonlyMap<string, number> => new Map([['rs/a', 10 * MINUTE_MS - ms]]);
  const cases: readonly [string, Round, string | undefined][] = [
    ['begins what has stood for long', round([wish()]), 'p'],
    ['not what is new', round([wish()], { standing: new Map() }), undefined],
    ['not before three minutes', round([wish()], { standing: stands(3 * MINUTE_MS - 1) }), undefined],
    ['after three minutes', round([wish()], { standing: stands(3 * MINUTE_MS) }), 'p'],
    [
      'after one when a node has just come',
      round([wish()], { standing: stands(MINUTE_MS), stirredAtMs: 9 * MINUTE_MS }),
      'p',
    ],
    ['after one for load', round([wish({ byLoad: true })], { standing: stands(MINUTE_MS) }), 'p'],
    ['one a Deployment at a time', round([wish()], { moving: ['default/web'] }), undefined],
    ['two in the fleet at a time', round([wish()], { moving: ['x/x', 'y/y'] }), undefined],
    ['none while the scheduler is still looking', round([wish()], { isPlacing: true }), undefined],
    ['as many an hour as allowed', round([wish()], { begun: () => 6 }), undefined],
    ['none after a failure', round([wish()], { restsUntilMs: () => 11 * MINUTE_MS }), undefined],
    [
      'none while the load does not show the last',
      round([wish()], { movedAtMs: () => 9.5 * MINUTE_MS }),
      undefined,
    ],
    [
      'nodes in trouble first, by the pod that relieves most',
      round([
        wish({ podUid: 'x', gain: 20 }),
        wish({ podUid: 'y', byLoad: true, gain: 16, reliefRatio: 0.1 }),
        wish({ podUid: 'z', byLoad: true, gain: 15, reliefRatio: 0.3 }),
      ]),
      'z',
    ],
  ];
  for (const [name, on, expected] of cases) it(name, () => assert.is(planRound(on).begin?.podUid, expected));

  it('tells what it would do for those who only want to know, and begins another', () => {
    const plan = planRound(round([wish({ isPreview: true, podUid: 'x' }), wish()], { moving: ['x/x'] }));
    assert.is(plan.begin?.podUid, 'p');
    assert.equal(
      plan.previews.map((w) => w.podUid),
      ['x'],
    );
    const young = round([wish({ isPreview: true })], { standing: stands(MINUTE_MS) });
    assert.equal(planRound(young).previews, []);
  });

  it('looks again only while somebody would like to leave', () => {
    assert.is(planRound(round([])).lookAgainMs, undefined);
    assert.is(planRound(round([], { isForming: true })).lookAgainMs, MINUTE_MS);
    assert.is(planRound(round([wish()], { standing: stands(2.5 * MINUTE_MS) })).lookAgainMs, 30_000);
  });

  it('forgets wishes that are gone', () => {
    assert.equal([...planRound(round([], { standing: new Map([['rs/a', 0]]) })).standing], []);
  });
});
