import * as assert from 'uvu/assert';
import { boundReplicas, boundsOf, remember, rememberScaling } from '../../../../hub/decide/hpa-behavior.ts';
import { type HpaMemory, NO_MEMORY } from '../../../../hub/decide/hpa-types.ts';
import type { HorizontalPodAutoscaler } from '../../../../protocol/kinds/autoscaling.ts';
import { autoscaler } from '../../../build/hpa.ts';
import { spec } from '../../../spec.ts';

type Behavior = NonNullable<HorizontalPodAutoscaler['spec']['behavior']>;

const NOW = 10_000_000;
const bounds = (behavior: Behavior = {}, max = 100) => boundsOf(autoscaler({ maxReplicas: max, behavior }));
const events = (...list: [change: number, agoS: number][]) => ({
  ...NO_MEMORY,
  events: list.map(([change, agoS]) => ({ change, atMs: NOW - agoS * 1000 })),
});
const wishes = (...list: [replicas: number, agoS: number][]) => ({
  ...NO_MEMORY,
  recommendations: list.map(([replicas, agoS]) => ({ replicas, atMs: NOW - agoS * 1000 })),
});
const pods = (value: number, periodSeconds = 60) => ({ type: 'Pods' as const, value, periodSeconds });
const percent = (value: number, periodSeconds = 60) => ({ type: 'Percent' as const, value, periodSeconds });

spec('boundReplicas', (it) => {
  const down = (rules: Behavior['scaleDown']) =>
    bounds({ scaleDown: { stabilizationWindowSeconds: 0, ...rules } });
  const up = (rules: Behavior['scaleUp']) => bounds({ scaleUp: rules ?? {} });
  const cases = [
    // name, current, wish, bounds, memory, replicas, limit
    ['by default four or the double at once', 1, 50, bounds(), NO_MEMORY, 5, 'ScaleUpLimit'],
    ['the double when that is more', 10, 50, bounds(), NO_MEMORY, 20, 'ScaleUpLimit'],
    ['not again within fifteen seconds', 20, 50, bounds(), events([10, 14]), 20, 'ScaleUpLimit'],
    ['and again after them', 20, 50, bounds(), events([10, 15]), 40, 'ScaleUpLimit'],
    ['never above the maximum', 10, 50, bounds({}, 15), NO_MEMORY, 15, 'TooManyReplicas'],
    ['in one step down when nothing holds', 20, 3, down({}), NO_MEMORY, 3, 'DesiredWithinRange'],
    ['never below the minimum', 20, 0, down({}), NO_MEMORY, 1, 'TooFewReplicas'],
    ['so many pods a minute', 20, 50, up({ policies: [pods(3)] }), NO_MEMORY, 23, 'ScaleUpLimit'],
    ['a share, rounded up', 5, 50, up({ policies: [percent(10)] }), NO_MEMORY, 6, 'ScaleUpLimit'],
    [
      'Min takes the slower one',
      20,
      50,
      up({ selectPolicy: 'Min', policies: [pods(3), percent(50)] }),
      NO_MEMORY,
      23,
      'ScaleUpLimit',
    ],
    [
      'Disabled goes nowhere',
      20,
      50,
      up({ selectPolicy: 'Disabled', policies: [pods(3)] }),
      NO_MEMORY,
      20,
      'ScaleUpLimit',
    ],
    ['so many down a minute', 20, 1, down({ policies: [pods(3)] }), NO_MEMORY, 17, 'ScaleDownLimit'],
    ['a share down', 15, 1, down({ policies: [percent(10)] }), NO_MEMORY, 13, 'ScaleDownLimit'],
    [
      'Min down takes the slower one',
      20,
      1,
      down({ selectPolicy: 'Min', policies: [pods(3), percent(50)] }),
      NO_MEMORY,
      17,
      'ScaleDownLimit',
    ],
    [
      'Disabled down goes nowhere',
      20,
      1,
      down({ selectPolicy: 'Disabled' }),
      NO_MEMORY,
      20,
      'ScaleDownLimit',
    ],
    [
      'what was removed in the period counts',
      17,
      1,
      down({ policies: [pods(3)] }),
      events([-3, 30]),
      17,
      'ScaleDownLimit',
    ],
    [
      'what was added gives room to remove',
      23,
      1,
      down({ policies: [pods(3)] }),
      events([3, 30]),
      17,
      'ScaleDownLimit',
    ],
  ] as const;
  for (const [name, current, wish, within, memory, replicas, limit] of cases) {
    it(name, () => {
      const bounded = boundReplicas(current, wish, within, memory, NOW);
      assert.equal([bounded.replicas, bounded.limit], [replicas, limit]);
    });
  }

  it('says when the speed gives way', () => {
    assert.is(boundReplicas(20, 50, bounds(), events([10, 5]), NOW).lookAgainMs, 10_001);
    assert.is(boundReplicas(20, 20, bounds(), NO_MEMORY, NOW).lookAgainMs, undefined);
  });
});

spec('stabilization', (it) => {
  const cases = [
    // name, wish, memory, replicas of 10
    ['removes only what five minutes did not ask for', 2, wishes([8, 200]), 8],
    ['forgets older wishes', 2, wishes([8, 301]), 2],
    ['is not held by lower wishes', 2, wishes([1, 10]), 2],
    ['does not add for an old wish', 5, wishes([30, 10]), 10],
    ['adds at once', 15, wishes([2, 10]), 15],
  ] as const;
  for (const [name, wish, memory, replicas] of cases)
    it(name, () => assert.is(boundReplicas(10, wish, bounds(), memory, NOW).replicas, replicas));

  it('adds only what the whole window asked for, where there is one', () => {
    const slow = bounds({ scaleUp: { stabilizationWindowSeconds: 60 } });
    assert.is(boundReplicas(10, 18, slow, wishes([12, 30]), NOW).replicas, 12);
    assert.is(boundReplicas(10, 18, slow, wishes([4, 30]), NOW).replicas, 10);
    assert.is(boundReplicas(10, 18, slow, wishes([4, 61]), NOW).replicas, 18);
  });
});

spec('memory of an autoscaler', (it) => {
  it('keeps one entry for a wish that stays, and drops what no window reaches', () => {
    let memory: HpaMemory = wishes([7, 400]);
    for (let s = 0; s < 100; s++) memory = remember(memory, 3, bounds(), NOW + s * 1000);
    assert.equal(memory.recommendations, [{ replicas: 3, atMs: NOW + 99_000 }]);
  });

  it('drops changes that no policy looks back to', () => {
    const memory = rememberScaling(events([2, 16], [1, 14]), 4, bounds(), NOW);
    assert.equal(
      memory.events.map((e) => e.change),
      [1, 4],
    );
  });
});
