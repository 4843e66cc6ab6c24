import * as assert from 'uvu/assert';
import { nextMoveStep } from '../../../../hub/decide/rebalance-move.ts';
import { isMovable, isSettled, rebalanceTerms } from '../../../../hub/decide/rebalance-terms.ts';
import { DEFAULT_REBALANCE_TIMES } from '../../../../hub/decide/rebalance-times.ts';
import { MOVING, planReplicas } from '../../../../hub/decide/replicas.ts';
import type { Namespace } from '../../../../protocol/kinds/core.ts';
import type { Pod, PodSpec } from '../../../../protocol/kinds/pod.ts';
import type { Deployment, DeploymentSpec } from '../../../../protocol/kinds/workloads.ts';
import { deployment, pod, replicaSet } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const MINUTE_MS = 60_000;
const MARKED = '2026-01-01T01:00:00Z';
const MARKED_MS = Date.parse(MARKED);

const labels = replicaSet('a', 1).spec.selector.matchLabels ?? {};
const mine = (name: string, parts: Parameters<typeof pod>[1] = {}): Pod =>
  pod(name, { node: 'n1', labels, owner: 'rs-a', ...parts });
const noted = (one: Pod, annotations: Record<string, string>): Pod => ({
  ...one,
  metadata: { ...one.metadata, annotations },
});
const leaving = noted(mine('old'), { [MOVING]: MARKED });
const fresh = (parts: Parameters<typeof pod>[1] = {}): Pod =>
  mine('new', { node: 'n2', created: '2026-01-01T01:00:01Z', readySince: '2026-01-01T01:00:05Z', ...parts });

spec('planReplicas with a pod that is moving away', (it) => {
  const other = noted(mine('other', { node: 'n3' }), { [MOVING]: MARKED });
  const cases: readonly [string, number, readonly Pod[], number, readonly string[]][] = [
    ['makes its replacement first', 2, [leaving, mine('b')], 1, []],
    ['one, however many are marked', 2, [leaving, other], 1, []],
    ['waits while both are there', 2, [leaving, mine('b'), fresh({ ready: false })], 0, []],
    ['wants no third when the replacement is ready', 2, [leaving, mine('b'), fresh()], 0, []],
    [
      'removes what is not ready and what leaves when scaled down',
      1,
      [leaving, mine('b'), fresh({ ready: false })],
      0,
      ['new', 'old'],
    ],
    [
      'removes what leaves before others',
      1,
      [leaving, mine('b', { node: 'n2' }), fresh({ node: 'n3' })],
      0,
      ['old', 'new'],
    ],
    ['removes it when nothing is wanted', 0, [leaving], 0, ['old']],
    ['makes as many more as are wanted', 4, [leaving, mine('b')], 3, []],
  ];
  for (const [name, replicas, pods, create, removed] of cases) {
    it(name, () => {
      const plan = planReplicas(replicaSet('a', replicas), pods);
      assert.equal([plan.create, plan.remove.map((p) => p.metadata.name)], [create, [...removed]]);
    });
  }

  it('when the mark is taken away, removes the replacement that is not ready', () => {
    const plan = planReplicas(replicaSet('a', 2), [mine('old'), mine('b'), fresh({ ready: false })]);
    assert.equal(
      plan.remove.map((p) => p.metadata.name),
      ['new'],
    );
  });
});

interface Parts {
  readonly pods?: readonly Pod[];
  readonly old?: Pod;
  readonly afterMs?: number;
  readonly spec?: Partial<DeploymentSpec>;
  readonly isOn?: boolean;
  readonly orphan?: boolean;
}

function step({ pods = [], old = leaving, afterMs = 10_000, isOn = true, orphan, ...parts }: Parts): string {
  const wanted = deployment('a', { replicas: 2, ...parts.spec });
  const rs = {
    ...replicaSet('a', 2),
    spec: { ...replicaSet('a', 2).spec, minReadySeconds: wanted.spec.minReadySeconds ?? 0 },
  };
  const all = [old, mine('b', { node: 'n3' }), ...pods];
  const view = {
    pod: old,
    deployment: orphan ? undefined : wanted,
    replicaSets: [rs],
    rs: orphan ? undefined : rs,
    pods: all,
    isOn,
  };
  const next = nextMoveStep(view, MARKED_MS + afterMs);
  if (next.do === 'undo') return `undo: ${next.why}`;
  return next.do === 'wait' ? `wait ${next.lookAgainMs / 1_000}` : next.do;
}

spec('nextMoveStep', (it) => {
  const cases: readonly [string, string, string | RegExp][] = [
    ['waits for a replacement', step({}), 'wait 50'],
    ['gives up when none is placed', step({ afterMs: MINUTE_MS }), 'undo: no node took the replacement'],
    ['waits longer for one that starts', step({ pods: [fresh({ ready: false })] }), 'wait 650'],
    [
      'as long as the Deployment allows',
      step({ pods: [fresh({ ready: false })], spec: { progressDeadlineSeconds: 30 } }),
      'wait 80',
    ],
    [
      'gives up one that does not start',
      step({ pods: [fresh({ ready: false })], afterMs: 11 * MINUTE_MS }),
      'undo: the replacement did not become available',
    ],
    ['waits until it is available', step({ pods: [fresh()], spec: { minReadySeconds: 20 } }), 'wait 15'],
    ['lets the old one go', step({ pods: [fresh()] }), 'evict'],
    [
      'gives up when budgets hold it for long',
      step({ pods: [fresh()], afterMs: 16 * MINUTE_MS }),
      'undo: disruption budgets did not let it go',
    ],
    [
      'gives up on the same node',
      step({ pods: [fresh({ node: 'n1' })] }),
      'undo: the replacement came to the same node',
    ],
    [
      'stops for a rollout',
      step({ spec: { template: deployment('b').spec.template } }),
      'undo: a rollout has begun',
    ],
    ['stops when paused', step({ spec: { paused: true } }), 'undo: the Deployment is paused'],
    [
      'stops when there is no surge',
      step({ spec: { strategy: { type: 'Recreate' } } }),
      'undo: no pod may be added first any more',
    ],
    ['stops when switched off', step({ isOn: false, pods: [fresh()] }), 'undo: rebalancing was switched off'],
    ['stops for a pod of nobody', step({ orphan: true }), 'undo: it belongs to no Deployment'],
    ['does not believe just any mark', step({ old: noted(mine('old'), { [MOVING]: 'soon' }) }), /is no time/],
    ['nor one from the future', step({ afterMs: -2 * MINUTE_MS }), /is no time/],
    [
      'leaves a pod alone that is on its way out',
      step({ old: noted(mine('old', { deleting: true }), { [MOVING]: MARKED }) }),
      'nothing',
    ],
  ];
  for (const [name, is, expected] of cases)
    it(name, () => (typeof expected === 'string' ? assert.is(is, expected) : assert.match(is, expected)));

  it('does not let it go while another replica is not ready', () => {
    const rs = replicaSet('a', 2);
    const pods = [leaving, mine('b', { node: 'n3', ready: false }), fresh()];
    const view = {
      pod: leaving,
      deployment: deployment('a', { replicas: 2 }),
      replicaSets: [rs],
      rs,
      pods,
      isOn: true,
    };
    assert.is(nextMoveStep(view, MARKED_MS + 10_000).do, 'wait');
  });
});

const REBALANCE = 'coxswain.dev/rebalance';
const MAX = 'coxswain.dev/rebalance-max-moves-per-hour';

spec('who is moved', (it) => {
  const namespace = (annotations: Record<string, string>): Namespace => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'default', uid: 'n', resourceVersion: '1', creationTimestamp: MARKED, annotations },
  });
  const terms = (own: Record<string, string>, spaces: Record<string, string> = {}): unknown => {
    const wanted = deployment('a');
    wanted.metadata.annotations = own;
    const { isOn, isPreview, maxMovesPerHour, scope, bad } = rebalanceTerms(wanted, namespace(spaces));
    return [
      isPreview ? 'preview' : isOn,
      maxMovesPerHour,
      scope,
      ...bad.map((b) => `${b.on} ${b.annotation}`),
    ];
  };
  const cases: readonly [string, unknown, unknown[]][] = [
    ['nobody without asking', terms({}), [false, 6, 'default']],
    ['a Deployment that asks', terms({ [REBALANCE]: 'true', [MAX]: '2' }), [true, 2, 'default/web']],
    ['nobody who only wants to know', terms({ [REBALANCE]: 'preview' }), ['preview', 6, 'default/web']],
    ['all of a Namespace that asks', terms({}, { [REBALANCE]: 'true', [MAX]: '0' }), [true, 0, 'default']],
    [
      'save those who say no',
      terms({ [REBALANCE]: 'false' }, { [REBALANCE]: 'true' }),
      [false, 6, 'default/web'],
    ],
    [
      'a budget belongs to the object that asks',
      terms({ [MAX]: '3' }, { [REBALANCE]: 'true' }),
      [true, 6, 'default'],
    ],
    [
      'nobody who cannot be read',
      terms({ [REBALANCE]: 'yes' }),
      [false, 6, 'default/web', `Deployment ${REBALANCE}`],
    ],
    [
      'the default for a number that cannot',
      terms({}, { [REBALANCE]: 'true', [MAX]: '-1' }),
      [true, 6, 'default', `Namespace ${MAX}`],
    ],
  ];
  for (const [name, is, expected] of cases) it(name, () => assert.equal(is, expected));

  const settled = (status: Deployment['status'] = {}, parts: Partial<DeploymentSpec> = {}): boolean => {
    const counts = { replicas: 3, updatedReplicas: 3, availableReplicas: 3, observedGeneration: 1 };
    return isSettled({ ...deployment('a', parts), status: { ...counts, ...status } }, replicaSet('a', 3));
  };
  it('Deployments with nothing else going on', () => {
    assert.ok(settled());
    assert.not(settled({ observedGeneration: 0 }));
    assert.not(settled({ updatedReplicas: 2 }));
    assert.not(settled({ availableReplicas: 2 }));
    assert.not(settled({ replicas: 4 }));
    assert.not(settled({}, { paused: true }));
    assert.not(settled({}, { strategy: { type: 'Recreate' } }));
    assert.not(settled({}, { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }));
  });

  it('pods that nothing ties to their node', () => {
    const movable = (one: Pod, parts: Partial<PodSpec> = {}): boolean =>
      isMovable({ ...one, spec: { ...one.spec, ...parts } }, MARKED_MS, DEFAULT_REBALANCE_TIMES);
    assert.ok(movable(mine('a')));
    assert.ok(
      movable(mine('a'), {
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 'c', configMap: { name: 'c' } },
        ],
      }),
    );
    assert.not(movable(mine('a'), { volumes: [{ name: 'v', hostPath: { path: '/dev' } }] }));
    assert.not(movable(mine('a'), { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }));
    assert.not(movable(mine('a'), { schedulerName: 'other' }));
    assert.not(movable(mine('a', { ready: false })));
    assert.not(movable(mine('a', { deleting: true })));
    assert.not(movable(mine('a', { created: '2026-01-01T00:58:00Z' })), 'too young');
    assert.not(movable(leaving));
    assert.not(movable(noted(mine('a'), { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' })));
  });
});
