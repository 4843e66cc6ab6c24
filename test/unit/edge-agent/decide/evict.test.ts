import * as assert from 'uvu/assert';
import {
  type EvictionCandidate,
  type EvictionView,
  evictionMessage,
  evictionStep,
  rankForEviction,
} from '../../../../edge-agent/decide/evict.ts';
import {
  judgeConditions,
  judgePressure,
  NO_PRESSURE,
  type PressureInput,
  type PressureState,
} from '../../../../edge-agent/decide/pressure.ts';
import { spec } from '../../../spec.ts';

const MIB = 1024 ** 2;
const LIMITS = {
  memoryPressureAvailableRatio: 0.1,
  diskPressureUsedRatio: 0.9,
  pidPressureUsedRatio: 0.9,
  temperaturePressureCelsius: 80,
  pressureTransitionMs: 60_000,
  evictionHoldMs: 10_000,
  evictionIntervalMs: 30_000,
};
const FINE: PressureInput = {
  memoryAvailableRatio: 0.5,
  memoryTotalBytes: 1000 * MIB,
  diskUsedRatio: 0.5,
  diskTotalBytes: 10_000 * MIB,
  pidUsedRatio: 0.1,
  pidLimit: 32_768,
  temperatureCelsius: 50,
};
const input = (change: Partial<PressureInput>): PressureInput => ({ ...FINE, ...change });

/** What holds after each of these looks, at these times. */
const held = (looks: readonly [number, Partial<PressureInput>][]): string[] => {
  let state = NO_PRESSURE;
  return looks.map(([nowMs, change]) => {
    state = judgePressure(state, input(change), LIMITS, nowMs);
    const names = Object.entries(state).filter(([, s]) => s.held);
    return names
      .map(([name, s]) => `${name}${s.metSinceMs === undefined ? '' : `@${s.metSinceMs}`}`)
      .join(' ');
  });
};

spec('judgePressure', (it) => {
  const cases: readonly [string, readonly [number, Partial<PressureInput>][], readonly string[]][] = [
    ['nothing is short of nothing', [[0, {}]], ['']],
    ['memory below its share', [[5, { memoryAvailableRatio: 0.09 }]], ['memory@5']],
    ['tasks that wait for memory', [[5, { memoryStallRatio: 0.11 }]], ['memory@5']],
    ['a disk nearly full', [[5, { diskUsedRatio: 0.91 }]], ['disk@5']],
    ['process ids nearly gone', [[5, { pidUsedRatio: 0.91 }]], ['pids@5']],
    ['heat', [[5, { temperatureCelsius: 80 }]], ['temperature@5']],
    [
      'heat ends clearly below where it began',
      [
        [0, { temperatureCelsius: 81 }],
        [10, { temperatureCelsius: 76 }],
        [20, { temperatureCelsius: 74 }],
        [60_010, { temperatureCelsius: 74 }],
      ],
      ['temperature@0', 'temperature@0', 'temperature', ''],
    ],
    [
      'a little better is not better',
      [
        [0, { memoryAvailableRatio: 0.09 }],
        [10, { memoryAvailableRatio: 0.11 }],
      ],
      ['memory@0', 'memory@0'],
    ],
    [
      'it lasts for the transition period after it was last met, and counts anew after a break',
      [
        [0, { memoryAvailableRatio: 0.09 }],
        [10_000, {}],
        [59_999, {}],
        [60_000, {}],
        [70_000, { memoryAvailableRatio: 0.09 }],
      ],
      ['memory@0', 'memory', 'memory', '', 'memory@70000'],
    ],
    ['a board without a sensor is never hot', [[0, { temperatureCelsius: Number.NaN }]], ['']],
  ];
  for (const [name, looks, expected] of cases) it(name, () => assert.equal(held(looks), [...expected]));

  it('says it in conditions that keep their times', () => {
    const hot = judgePressure(NO_PRESSURE, input({ temperatureCelsius: 90 }), LIMITS, 0);
    const health = { isEngineReady: true, hasMemoryCgroup: false, memoryCgroupAdvice: 'add it' };
    const first = judgeConditions(hot, health, [], 't1');
    const second = judgeConditions(hot, health, first, 't2');
    assert.equal(first, second);
    assert.equal(
      first.filter((c) => c.status === 'True').map((c) => [c.type, c.reason]),
      [
        ['TemperaturePressure', 'NodeIsHot'],
        ['EngineReady', 'EngineAnswers'],
      ],
    );
    assert.is(first.find((c) => c.type === 'MemoryCgroup')?.message, 'add it');
    assert.equal(judgeConditions(NO_PRESSURE, health, second, 't3')[3]?.lastTransitionTime, 't3');
  });
});

const pod = (
  uid: string,
  usage: number,
  request: number,
  priority = 0,
  more: Partial<EvictionCandidate> = {},
): EvictionCandidate => ({
  uid,
  priority,
  containers: [{ name: 'main', usage: usage * MIB, request: request * MIB }],
  ...more,
});

spec('rankForEviction', (it) => {
  const cases: readonly [string, 'memory' | 'disk' | 'pids', readonly EvictionCandidate[], string][] = [
    [
      'over request before priority',
      'memory',
      [pod('low', 10, 20, -5), pod('over', 30, 20, 500)],
      'over low',
    ],
    ['priority before amount', 'memory', [pod('big', 90, 0, 10), pod('small', 5, 0, 1)], 'small big'],
    ['the most above its request first', 'memory', [pod('a', 50, 40), pod('b', 40, 10)], 'b a'],
    ['below its request: who is nearest to it', 'disk', [pod('a', 5, 40), pod('b', 30, 40)], 'b a'],
    ['equal ones by uid', 'memory', [pod('b', 5, 0), pod('a', 5, 0)], 'a b'],
    ['never the critical', 'memory', [pod('system', 900, 0, 2_000_000_000), pod('a', 1, 0)], 'a'],
    [
      'never a critical class',
      'memory',
      [pod('system', 900, 0, 0, { priorityClass: 'system-cluster-critical' }), pod('a', 1, 0)],
      'a',
    ],
    ['never who holds nothing', 'memory', [pod('idle', 0, 0), pod('a', 1, 0)], 'a'],
    [
      'volumes count on the disk',
      'disk',
      [pod('layer', 20, 0), pod('volume', 0, 0, 0, { sharedUsage: 30 * MIB })],
      'volume layer',
    ],
    [
      'processes: priority, then number',
      'pids',
      [pod('many', 90, 0, 5), pod('a', 3, 0), pod('b', 7, 0)],
      'b a many',
    ],
  ];
  for (const [name, signal, pods, order] of cases) {
    it(name, () =>
      assert.is(
        rankForEviction(signal, pods)
          .map((p) => p.uid)
          .join(' '),
        order,
      ),
    );
  }

  it('says it in the words of the kubelet', () => {
    const text = evictionMessage('memory', pod('a', 60, 0), input({ memoryAvailableRatio: 0.05 }), LIMITS);
    assert.is(
      text,
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ' +
        'Container main was using 60Mi, request is 0, has larger consumption of memory. ',
    );
    const pids = evictionMessage('pids', pod('a', 9, 0), input({ pidUsedRatio: 0.95 }), LIMITS);
    assert.is(pids, 'The node was low on resource: pids. Threshold quantity: 3277, available: 1638. ');
    const disk = evictionMessage('disk', pod('a', 9, 10), input({ diskUsedRatio: 0.95 }), LIMITS);
    assert.is(
      disk,
      'The node was low on resource: ephemeral-storage. Threshold quantity: 1000Mi, available: 500Mi. ',
    );
  });
});

const met = (...signals: (keyof PressureState)[]): PressureState => ({
  ...NO_PRESSURE,
  ...Object.fromEntries(signals.map((s) => [s, { held: true, metSinceMs: 0, lastMetMs: 0 }])),
});

spec('evictionStep', (it) => {
  const cases: readonly [string, Partial<EvictionView>, string][] = [
    ['no pressure, no eviction', { pressure: NO_PRESSURE }, 'nothing'],
    ['a pressure that only lingers', { pressure: { ...NO_PRESSURE, memory: { held: true } } }, 'nothing'],
    ['heat is left to the board', { pressure: met('temperature') }, 'nothing'],
    ['waits for the hold time', { nowMs: 4_000 }, 'wait 10000'],
    ['then evicts', { nowMs: 10_000 }, 'evict memory'],
    ['memory before all else', { pressure: met('pids', 'disk', 'memory') }, 'evict memory'],
    ['the disk only when sweeping was not enough', { pressure: met('disk') }, 'nothing'],
    ['the disk after sweeping', { pressure: met('disk'), isDiskSwept: true }, 'evict disk'],
    ['processes meanwhile', { pressure: met('disk', 'pids') }, 'evict pids'],
    ['rests after an eviction', { nowMs: 50_000, lastEvictionMs: 40_000 }, 'wait 70000'],
    ['goes on after the rest', { nowMs: 70_000, lastEvictionMs: 40_000 }, 'evict memory'],
    ['one at a time', { nowMs: 70_000, isEvicting: true }, 'wait 71000'],
  ];
  for (const [name, change, expected] of cases) {
    it(name, () => {
      const view = {
        pressure: met('memory'),
        nowMs: 20_000,
        isEvicting: false,
        isDiskSwept: false,
        ...change,
      };
      const step = evictionStep(view, LIMITS);
      const text =
        step.do === 'evict'
          ? `evict ${step.signal}`
          : step.do === 'wait'
            ? `wait ${step.untilMs}`
            : 'nothing';
      assert.is(text, expected);
    });
  }
});
