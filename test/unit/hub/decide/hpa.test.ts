import * as assert from 'uvu/assert';
import { failedRescale, isWorthWriting, judgeAutoscaler } from '../../../../hub/decide/hpa.ts';
import { decimalQuantity } from '../../../../hub/decide/hpa-metrics.ts';
import type { MetricSpec } from '../../../../protocol/kinds/autoscaling.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { autoscaler, cpuShare, HPA_NOW, hpaWorld, serving, use } from '../../../build/hpa.ts';
import { spec } from '../../../spec.ts';

type World = ReturnType<typeof hpaWorld>;

const to = (world: World): number | undefined => judgeAutoscaler(world).rescale?.to;
const condition = (world: World, type: string): string | undefined => {
  const found = judgeAutoscaler(world).status.conditions?.find((c) => c.type === type);
  return found && `${found.status} ${found.reason}`;
};
const ago = (seconds: number): string => new Date(HPA_NOW.atMs - seconds * 1000).toISOString();

spec('judgeAutoscaler', (it) => {
  // Each pod requests 100m and should use half of it.
  const cases = [
    ['at the aim it stays', [50, 50], undefined],
    ['within a tenth above it stays', [55, 55], undefined],
    ['within a tenth below it stays', [46, 46, 46], undefined],
    ['twice the aim doubles', [100, 100], 4],
    ['a bit above a tenth adds one', [60, 60], 3],
    ['half the aim halves', [25, 25, 25, 25], 2],
    ['idle goes to the minimum', [1, 1, 1], 1],
    ['a hot spot is averaged', [140, 10, 10], undefined],
    ['a silent pod is taken as full when that would remove', [10, 10, undefined], undefined],
    ['and as idle when that would add', [90, 90, undefined], 4],
    ['a guess never turns the direction', [60, undefined, undefined], undefined],
    ['nobody speaks, nothing moves', [undefined, undefined], undefined],
  ] as const;
  for (const [name, milli, expected] of cases) it(name, () => assert.is(to(hpaWorld(milli)), expected));

  const tolerances = [
    ['a finer tolerance upwards acts earlier', { scaleUp: { tolerance: '50m' } }, [53, 53], 3],
    ['a wider one later', { scaleUp: { tolerance: 0.5 } }, [74, 74], undefined],
    ['none lets nothing be', { scaleDown: { tolerance: '0' } }, [49, 48, 48, 48], undefined],
    ['downwards it is its own', { scaleDown: { tolerance: '0.5' } }, [26, 26, 26, 26], undefined],
    ['and the other direction keeps a tenth', { scaleDown: { tolerance: '0.5' } }, [60, 60], 3],
  ] as const;
  for (const [name, behavior, milli, expected] of tolerances)
    it(name, () => assert.is(to(hpaWorld(milli, { hpa: autoscaler({ behavior }) })), expected));

  it('takes the metric that asks for most', () => {
    const memory: MetricSpec = {
      type: 'Resource',
      resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '10M' } },
    };
    const hpa = autoscaler({ metrics: [cpuShare(50), memory] });
    const useOf: World['useOf'] = (_pod, resource) => use(resource === 'cpu' ? 50 : 25_000_000);
    const verdict = judgeAutoscaler(hpaWorld([50, 50], { hpa, useOf }));
    assert.is(verdict.rescale?.to, 5);
    assert.is(verdict.rescale?.reason, 'memory resource above target');
    assert.equal(verdict.status.currentMetrics, [
      {
        type: 'Resource',
        resource: { name: 'cpu', current: { averageUtilization: 50, averageValue: '50m' } },
      },
      { type: 'Resource', resource: { name: 'memory', current: { averageValue: '25M' } } },
    ]);
  });

  it('looks at one container where told', () => {
    const metric: MetricSpec = {
      type: 'ContainerResource',
      containerResource: {
        name: 'cpu',
        container: 'main',
        target: { type: 'Utilization', averageUtilization: 50 },
      },
    };
    const asked: (string | undefined)[] = [];
    const useOf: World['useOf'] = (_pod, _resource, container) => {
      asked.push(container);
      return use(100);
    };
    assert.is(to(hpaWorld([0, 0], { hpa: autoscaler({ metrics: [metric] }), useOf })), 4);
    assert.equal([...new Set(asked)], ['main']);
  });

  it('does not remove while one metric cannot be told', () => {
    const external: MetricSpec = {
      type: 'External',
      external: { metric: { name: 'queue' }, target: { type: 'Value', value: '1' } },
    };
    const world = hpaWorld([10, 10], { hpa: autoscaler({ metrics: [cpuShare(50), external] }) });
    assert.is(to(world), undefined);
    assert.is(condition(world, 'ScalingActive'), 'False FailedGetExternalMetric');
    const hot = hpaWorld([100, 100], { hpa: world.hpa });
    assert.is(to(hot), 4);
    assert.is(condition(hot, 'ScalingActive'), 'True ValidMetricFound');
  });

  it('says as Kubernetes does that there are no figures', () => {
    const { status, notes } = judgeAutoscaler(hpaWorld([undefined]));
    const found = status.conditions?.find((c) => c.type === 'ScalingActive');
    assert.is(found?.reason, 'FailedGetResourceMetric');
    assert.is(
      found?.message,
      'the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API',
    );
    assert.equal(
      notes.map((n) => n.reason),
      ['FailedGetResourceMetric', 'FailedComputeMetricsReplicas'],
    );
  });

  it('says which container has no request', () => {
    const bare = serving('p0');
    const [main] = bare.spec.containers;
    if (main !== undefined) delete main.resources;
    const { status } = judgeAutoscaler(hpaWorld([50], { pods: [bare] }));
    assert.match(
      status.conditions?.find((c) => c.type === 'ScalingActive')?.message ?? '',
      'missing request for cpu in container main of Pod p0',
    );
  });

  it('leaves a target of none alone', () => {
    const world = hpaWorld([], { replicas: 0 });
    assert.is(to(world), undefined);
    assert.is(condition(world, 'ScalingActive'), 'False ScalingDisabled');
  });

  it('brings a number outside the bounds back without asking any metric', () => {
    assert.is(to(hpaWorld([], { replicas: 40 })), 10);
    assert.is(to(hpaWorld([], { replicas: 1, hpa: autoscaler({ minReplicas: 3 }) })), 3);
    const verdict = judgeAutoscaler(hpaWorld([], { replicas: 40 }));
    assert.is(
      verdict.notes[0]?.message,
      'New size: 10; reason: Current number of replicas above Spec.MaxReplicas',
    );
  });

  it('tells what it could not find', () => {
    const world = hpaWorld([], { scale: { ok: false, why: 'deployments.apps "web" not found' } });
    assert.is(condition(world, 'AbleToScale'), 'False FailedGetScale');
  });

  it('stands back where two claim the same pods', () => {
    const world = hpaWorld([100, 100], { claimants: ['default/web', 'default/other'] });
    assert.is(to(world), undefined);
    assert.is(condition(world, 'ScalingActive'), 'False AmbiguousSelector');
  });

  it('tells what it did', () => {
    const verdict = judgeAutoscaler(hpaWorld([100, 100]));
    assert.equal(
      verdict.status.conditions?.map((c) => `${c.type} ${c.status} ${c.reason}`),
      [
        'AbleToScale True SucceededRescale',
        'ScalingActive True ValidMetricFound',
        'ScalingLimited False DesiredWithinRange',
      ],
    );
    assert.is(
      verdict.notes[0]?.message,
      'New size: 4; reason: cpu resource utilization (percentage of request) above target',
    );
    assert.equal([verdict.status.currentReplicas, verdict.status.desiredReplicas], [2, 4]);
    assert.is(verdict.status.lastScaleTime, HPA_NOW.time);
  });

  it('forgets a change that was refused, and says why', () => {
    const world = hpaWorld([100, 100]);
    const verdict = failedRescale(world, judgeAutoscaler(world), 'no');
    assert.is(verdict.rescale, undefined);
    assert.equal(verdict.memory.events, []);
    assert.is(verdict.status.lastScaleTime, undefined);
    assert.is(verdict.notes[0]?.reason, 'FailedRescale');
  });
});

spec('pods that are starting', (it) => {
  const starting = (parts: { ready: boolean; startedS: number; turnedS: number }): Pod => {
    const made = serving('p2', { ready: parts.ready, readySince: ago(parts.turnedS) });
    return { ...made, status: { ...made.status, startTime: ago(parts.startedS) } };
  };
  // Two pods at twice the aim ask for four; the third burns CPU as it starts.
  const world = (third: Pod): World =>
    hpaWorld([100, 100, 400], { pods: [serving('p0'), serving('p1'), third], replicas: 3 });
  const cases = [
    ['not ready yet: taken as idle', starting({ ready: false, startedS: 20, turnedS: 20 }), 4],
    ['ready for less than a window: taken as idle', starting({ ready: true, startedS: 20, turnedS: 10 }), 4],
    ['ready for longer: counts', starting({ ready: true, startedS: 60, turnedS: 20 }), 12],
    ['never ready, also late: taken as idle', starting({ ready: false, startedS: 900, turnedS: 890 }), 4],
    [
      'was ready once: counts though it is not now',
      starting({ ready: false, startedS: 900, turnedS: 100 }),
      12,
    ],
    ['pending: taken as idle', serving('p2', { phase: 'Pending', ready: false }), 4],
    ['being deleted: not there', serving('p2', { deleting: true }), 4],
    [
      'of a device whose clock is far ahead: counts',
      starting({ ready: true, startedS: -9000, turnedS: -9000 }),
      12,
    ],
  ] as const;
  const hpa = autoscaler({
    maxReplicas: 50,
    behavior: { scaleUp: { policies: [{ type: 'Pods', value: 50, periodSeconds: 15 }] } },
  });
  for (const [name, third, expected] of cases)
    it(name, () => assert.is(to({ ...world(third), hpa }), expected));

  it('never ready pods alone ask for nothing', () => {
    const only = starting({ ready: false, startedS: 20, turnedS: 20 });
    const alone = hpaWorld([0, 0, 400], { pods: [only], replicas: 1 });
    assert.is(to(alone), undefined);
    assert.match(
      judgeAutoscaler(alone).status.conditions?.[1]?.message ?? '',
      'did not receive metrics for any ready pods',
    );
  });
});

spec('status of an autoscaler', (it) => {
  const before = judgeAutoscaler(hpaWorld([50, 50])).status;
  const figures = judgeAutoscaler(hpaWorld([51, 51], { hpa: { ...autoscaler(), status: before } })).status;

  it('is written for figures alone only now and then', () => {
    assert.not(isWorthWriting(before, before, 60_000));
    assert.not(isWorthWriting(before, figures, 5_000));
    assert.ok(isWorthWriting(before, figures, 15_000));
    assert.ok(isWorthWriting(undefined, before, 0));
    assert.ok(isWorthWriting(before, { ...figures, desiredReplicas: 3 }, 0));
  });

  it('writes quantities as Kubernetes does', () => {
    const cases = [
      [0, '0'],
      [12, '12m'],
      [1000, '1'],
      [1500, '1500m'],
      [5_242_880_000, '5242880'],
      [25e9, '25M'],
    ] as const;
    for (const [milli, text] of cases) assert.is(decimalQuantity(milli), text);
  });
});
