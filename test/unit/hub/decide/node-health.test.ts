import * as assert from 'uvu/assert';
import { ADMIT_DEFAULTS, admitPod } from '../../../../hub/decide/admit-pod.ts';
import { assessNode, planEvictions } from '../../../../hub/decide/assess-node.ts';
import { type Load, nextLoad } from '../../../../hub/decide/load.ts';
import { nextPodCidr } from '../../../../hub/decide/pod-cidr.ts';
import type { Namespace } from '../../../../protocol/kinds/core.ts';
import { node, pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const now = { atMs: Date.parse('2026-01-01T00:01:00Z'), time: '2026-01-01T00:01:00Z' };
const keys = (taints: readonly { key: string; effect: string }[]): string[] =>
  taints.map((t) => `${t.key.replace('node.kubernetes.io/', '')}:${t.effect}`);

spec('assessNode', (it) => {
  const cases: readonly [
    string,
    Parameters<typeof node>[1],
    Parameters<typeof node>[2],
    boolean,
    string,
    readonly string[],
  ][] = [
    ['heard is ready', {}, {}, true, 'True', []],
    ['silent is unknown', {}, {}, false, 'Unknown', ['unreachable:NoSchedule', 'unreachable:NoExecute']],
    [
      'a dead engine is not ready',
      {},
      { conditions: [{ type: 'EngineReady', status: 'False' }] },
      true,
      'False',
      ['not-ready:NoSchedule', 'not-ready:NoExecute'],
    ],
    [
      'heat keeps newcomers away',
      {},
      { conditions: [{ type: 'TemperaturePressure', status: 'True' }] },
      true,
      'True',
      ['coxswain.dev/temperature-pressure:NoSchedule'],
    ],
    [
      'pressure and cordon keep newcomers away',
      { unschedulable: true },
      { conditions: [{ type: 'DiskPressure', status: 'True' }] },
      true,
      'True',
      ['disk-pressure:NoSchedule', 'unschedulable:NoSchedule'],
    ],
    [
      'taints of people stay, old ones of ours go',
      {
        taints: [
          { key: 'mine', effect: 'NoSchedule' },
          { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
        ],
      },
      {},
      true,
      'True',
      ['mine:NoSchedule'],
    ],
  ];
  for (const [name, nodeSpec, status, heard, ready, taints] of cases) {
    it(name, () => {
      const verdict = assessNode(node('n', nodeSpec, status), heard, now);
      assert.is(verdict.ready.status, ready);
      assert.equal(keys(verdict.taints), [...taints]);
    });
  }

  it('is content with its own verdict, and keeps the time of a taint that stays', () => {
    const first = assessNode(node('n'), false, now);
    const written = node('n', { taints: [...first.taints] }, { conditions: [first.ready] });
    const later = { atMs: now.atMs + 5000, time: '2026-01-01T00:01:05Z' };
    assert.is(assessNode(written, false, later).changed, false);
    assert.is(assessNode(written, true, later).changed, true);
  });
});

spec('planEvictions', (it) => {
  const lost = node('n', {
    taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: now.time }],
  });
  const tolerating = (seconds: number | undefined): ReturnType<typeof pod> =>
    pod('p', {
      node: 'n',
      tolerations: [
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          ...(seconds === undefined ? {} : { tolerationSeconds: seconds }),
        },
      ],
    });
  const cases: readonly [string, ReturnType<typeof pod>, number, readonly string[], number | undefined][] = [
    ['leaves at once without toleration', pod('p', { node: 'n' }), 0, ['p'], undefined],
    ['leaves at once with 0 seconds', tolerating(0), 0, ['p'], undefined],
    ['stays for its seconds', tolerating(60), 10, [], 50_000],
    ['leaves after them', tolerating(60), 60, ['p'], undefined],
    ['stays for ever', tolerating(undefined), 9999, [], undefined],
    ['is not told twice', pod('p', { node: 'n', deleting: true }), 0, [], undefined],
    ['has ended anyway', pod('p', { node: 'n', phase: 'Succeeded' }), 0, [], undefined],
    [
      'was pinned to the node after it was lost',
      pod('p', { node: 'n', scheduled: false, created: '2026-01-01T00:02:00Z' }),
      120,
      [],
      undefined,
    ],
  ];
  for (const [name, subject, afterS, evicted, lookAgainMs] of cases) {
    it(name, () => {
      const plan = planEvictions(lost, [subject], now.atMs + afterS * 1000);
      assert.equal(
        plan.evict.map((p) => p.metadata.name),
        [...evicted],
      );
      assert.is(plan.lookAgainMs, lookAgainMs);
    });
  }
});

spec('admitPod', (it) => {
  const seconds = (subject: ReturnType<typeof pod>): unknown =>
    subject.spec.tolerations?.map((t) => [t.key?.replace('node.kubernetes.io/', ''), t.tolerationSeconds]);
  const namespace = (value: string): Namespace => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { ...node('n').metadata, annotations: { 'coxswain.dev/toleration-seconds': value } },
  });

  it('adds the defaults', () => {
    const subject = pod('p');
    admitPod(subject, undefined);
    assert.equal(seconds(subject), [
      ['not-ready', ADMIT_DEFAULTS.notReadySeconds],
      ['unreachable', 0],
    ]);
  });
  it('takes the namespace default, and for ever', () => {
    const subject = pod('p');
    admitPod(subject, namespace('90'));
    assert.equal(seconds(subject), [
      ['not-ready', 90],
      ['unreachable', 90],
    ]);
    const patient = pod('p');
    admitPod(patient, namespace('forever'));
    assert.equal(seconds(patient), [
      ['not-ready', undefined],
      ['unreachable', undefined],
    ]);
  });
  it('lets own tolerations win, ignores nonsense', () => {
    const own = {
      key: 'node.kubernetes.io/unreachable',
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 7,
    } as const;
    const subject = pod('p', { tolerations: [own] });
    admitPod(subject, namespace('soon'));
    assert.equal(seconds(subject), [
      ['unreachable', 7],
      ['not-ready', ADMIT_DEFAULTS.notReadySeconds],
    ]);
    const all = pod('p', { tolerations: [{ operator: 'Exists' }] });
    admitPod(all, undefined);
    assert.is(all.spec.tolerations?.length, 1);
  });
});

spec('nextPodCidr', (it) => {
  const cases: readonly [string, string, readonly string[], string | undefined][] = [
    ['the first', '10.42.0.0/16', [], '10.42.0.0/24'],
    ['the lowest free', '10.42.0.0/16', ['10.42.0.0/24', '10.42.2.0/24'], '10.42.1.0/24'],
    ['none left', '10.42.0.0/23', ['10.42.0.0/24', '10.42.1.0/24'], undefined],
    ['an uneven base', '10.42.7.9/16', [], '10.42.0.0/24'],
    ['too small', '10.42.0.0/25', [], undefined],
    ['nonsense', 'x', [], undefined],
  ];
  for (const [name, range, used, expected] of cases) {
    it(name, () => assert.is(nextPodCidr(range, used), expected));
  }
});

spec('nextLoad', (it) => {
  const fold = (samples: readonly number[], everyMs = 3000): Load => {
    let load: Load | undefined;
    samples.forEach((cpuRatio, i) => {
      load = nextLoad(load, { cpuRatio, memoryRatio: 0.3 }, i * everyMs);
    });
    if (load === undefined) throw new Error('no samples');
    return load;
  };
  it('believes a rise within one sample and forgives slowly', () => {
    assert.ok(fold([0.05, 0.9]).heldCpuRatio > 0.75);
    assert.ok(fold([0.9, 0.05]).heldCpuRatio > 0.8);
    assert.ok(fold([0.9, ...Array<number>(40).fill(0.05)]).heldCpuRatio < 0.15);
  });
  it('holds still within its band', () => {
    const noise = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 0.2 : 0.22));
    assert.is(fold(noise).heldCpuRatio, 0.2);
  });
  it('ignores samples out of order', () => {
    const load = fold([0.2, 0.3]);
    assert.is(nextLoad(load, { cpuRatio: 1, memoryRatio: 1 }, load.atMs - 1), load);
  });
});
