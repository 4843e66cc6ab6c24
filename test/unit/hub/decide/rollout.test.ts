import * as assert from 'uvu/assert';
import { planRollout, rolloutBounds } from '../../../../hub/decide/rollout.ts';
import { deployment, member, replicaSet } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const REVISION = 'deployment.kubernetes.io/revision';
const noted = (replicas: number, max: number, revision: string): Record<string, string> => ({
  'deployment.kubernetes.io/desired-replicas': String(replicas),
  'deployment.kubernetes.io/max-replicas': String(max),
  [REVISION]: revision,
});
spec('rolloutBounds', (it) => {
  const cases: readonly [number, number | string, number | string, number, number][] = [
    [10, '25%', '25%', 3, 2],
    [6, '25%', '25%', 2, 1],
    [1, '25%', '25%', 1, 0],
    [4, 0, 0, 0, 1],
    [2, 0, 5, 0, 2],
    [7, '10%', '10%', 1, 0],
    [3, '0%', '30%', 0, 1],
    [3, '100%', '100%', 3, 3],
    [0, '25%', '25%', 0, 0],
    [200, '1%', '1%', 2, 2],
  ];
  for (const [replicas, maxSurge, maxUnavailable, surge, unavailable] of cases) {
    it(`${replicas} with ${maxSurge} and ${maxUnavailable}`, () => {
      const wanted = deployment('a', { replicas, strategy: { rollingUpdate: { maxSurge, maxUnavailable } } });
      assert.equal(rolloutBounds(wanted), { replicas, maxSurge: surge, maxUnavailable: unavailable });
    });
  }
});

spec('planRollout', (it) => {
  it('says of Recreate that every missing pod is one too few', () => {
    const wanted = deployment('a', { strategy: { type: 'Recreate' } });
    assert.equal(rolloutBounds(wanted), { replicas: 3, maxSurge: 0, maxUnavailable: 0 });
  });

  it('makes the first ReplicaSet at full size and numbers it', () => {
    const [create, number] = planRollout(deployment('a'), []);
    assert.equal(create, { do: 'create', replicas: 3, annotations: noted(3, 4, '1') });
    assert.equal(number, { do: 'set-revision', revision: 1 });
  });

  it('starts as many new ones as the surge allows and stops as many old ones as may be unavailable, at once', () => {
    const plan = planRollout(deployment('b', { replicas: 10 }), [
      member(replicaSet('a', 10, noted(10, 13, '1'))),
    ]);
    const [create, scale] = plan;
    assert.is(create?.do === 'create' && create.replicas, 3);
    assert.is(scale?.do === 'scale' && scale.replicas, 8);
  });

  it('takes broken old pods away first', () => {
    const old = member(replicaSet('a', 4, noted(4, 5, '1')), {
      active: 4,
      ready: 1,
      available: 1,
      running: 4,
    });
    const plan = planRollout(
      deployment('b', { replicas: 4, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }),
      [old],
    );
    const scale = plan.find((a) => a.do === 'scale');
    assert.is(scale, undefined, 'fewer are available than must be: nothing goes');
    const lenient = planRollout(
      deployment('b', { replicas: 4, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 3 } } }),
      [old],
    );
    assert.is(lenient.find((a) => a.do === 'scale')?.replicas, 1);
  });

  it('with Recreate first stops, waits until nothing runs, then starts', () => {
    const wanted = deployment('b', { strategy: { type: 'Recreate' } });
    const old = member(replicaSet('a', 3, noted(3, 3, '1')));
    assert.equal(
      planRollout(wanted, [old]).map((a) => a.do),
      ['scale'],
    );
    const down = member(replicaSet('a', 0, noted(3, 3, '1')), {
      active: 0,
      available: 0,
      ready: 0,
      running: 1,
    });
    assert.equal(planRollout(wanted, [down]), []);
    const gone = { ...down, running: 0 };
    assert.equal(
      planRollout(wanted, [gone]).map((a) => a.do),
      ['create', 'set-revision'],
    );
  });

  it('paused, only changes its size', () => {
    const paused = deployment('b', { paused: true, replicas: 5 });
    const old = member(replicaSet('a', 3, noted(3, 4, '1')));
    const plan = planRollout(paused, [old]);
    assert.equal(
      plan.map((a) => a.do === 'scale' && a.replicas),
      [5],
    );
  });

  it('in the middle of a rollout grows old and new by their share', () => {
    const wanted = deployment('b', { replicas: 20 });
    const members = [
      member(replicaSet('a', 8, noted(10, 13, '1'), 0)),
      member(replicaSet('b', 5, noted(10, 13, '2'), 1), { available: 2 }),
    ];
    const sizes = planRollout(wanted, members).flatMap((a) => (a.do === 'scale' ? [a.replicas] : []));
    assert.equal(
      sizes.reduce((n, s) => n + s, 0),
      25,
      'replicas plus surge',
    );
    assert.ok((sizes[0] ?? 0) > (sizes[1] ?? 0), `the larger stays the larger: ${sizes}`);
  });

  it('rolls back to an old ReplicaSet, gives it a new number and remembers the old', () => {
    const members = [
      member(replicaSet('a', 0, noted(3, 4, '1'), 0)),
      member(replicaSet('b', 3, noted(3, 4, '2'), 1)),
    ];
    const plan = planRollout(deployment('a'), members);
    const scale = plan.find((a) => a.do === 'scale');
    assert.is(scale?.annotations[REVISION], '3');
    assert.is(scale?.annotations['deployment.kubernetes.io/revision-history'], '1');
    assert.equal(
      plan.find((a) => a.do === 'set-revision'),
      { do: 'set-revision', revision: 3 },
    );
  });

  it('hands on the change cause, not what kubectl last applied', () => {
    const wanted = deployment('a');
    wanted.metadata.annotations = {
      'kubernetes.io/change-cause': 'x',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
    };
    const create = planRollout(wanted, []).find((a) => a.do === 'create');
    assert.is(create?.annotations['kubernetes.io/change-cause'], 'x');
    assert.is(create?.annotations['kubectl.kubernetes.io/last-applied-configuration'], undefined);
  });

  it('removes old ReplicaSets beyond the history limit, lowest revision first', () => {
    const wanted = deployment('c', { revisionHistoryLimit: 1 });
    wanted.metadata.annotations = { [REVISION]: '3' };
    const members = [
      member(replicaSet('b', 0, noted(3, 4, '2'), 1)),
      member(replicaSet('a', 0, noted(3, 4, '1'), 0)),
      member(replicaSet('c', 3, noted(3, 4, '3'), 2)),
    ];
    const name = members[1]?.rs.metadata.name;
    assert.equal(planRollout(wanted, members), [{ do: 'delete', name }]);
  });

  it('keeps the history short also while paused, never while old pods are about', () => {
    const wanted = deployment('c', { revisionHistoryLimit: 0, paused: true });
    wanted.metadata.annotations = { [REVISION]: '2' };
    const idle = member(replicaSet('a', 0, noted(3, 4, '1'), 0));
    const fresh = member(replicaSet('c', 3, noted(3, 4, '2'), 1));
    const name = idle.rs.metadata.name;
    assert.equal(planRollout(wanted, [idle, fresh]), [{ do: 'delete', name }]);
    const going = { ...idle, active: 1 };
    assert.equal(planRollout({ ...wanted, spec: { ...wanted.spec, paused: false } }, [going, fresh]), []);
  });

  it('takes every part of the template for a change, but for the label that tells templates apart', () => {
    const members = [member(replicaSet('a', 3, noted(3, 4, '1')))];
    const created = (metadata: object): boolean => {
      const given = deployment('a');
      const template = { ...given.spec.template, metadata: { ...given.spec.template.metadata, ...metadata } };
      const plan = planRollout({ ...given, spec: { ...given.spec, template } }, members);
      return plan.some((a) => a.do === 'create');
    };
    assert.is(created({ annotations: {} }), false);
    assert.is(created({ annotations: { a: '1' } }), true);
    assert.is(created({ finalizers: ['a/b'] }), true);
    assert.is(created({ labels: { app: 'web', more: '1' } }), true);
    assert.is(created({ labels: { app: 'web', 'pod-template-hash': 'x' } }), false);
  });

  it('hands on a changed minReadySeconds without a rollout', () => {
    const wanted = deployment('a', { minReadySeconds: 5 });
    wanted.metadata.annotations = { [REVISION]: '1' };
    const plan = planRollout(wanted, [member(replicaSet('a', 3, noted(3, 4, '1')))]);
    assert.equal(
      plan.map((a) => a.do === 'scale' && a.replicas),
      [3],
    );
  });

  it('waits with growing until pods that are too many are on their way out', () => {
    const wanted = deployment('b', { replicas: 12 });
    const old = member(replicaSet('a', 4, noted(10, 13, '1'), 0), { active: 8, available: 8 });
    const fresh = member(replicaSet('b', 9, noted(10, 13, '2'), 1), { active: 9, available: 2 });
    assert.equal(planRollout(wanted, [old, fresh]), []);
    const plan = planRollout(wanted, [{ ...old, active: 4, available: 4 }, fresh]);
    assert.is(
      plan.reduce((n, a) => n + (a.do === 'scale' ? a.replicas : 0), 0),
      15,
    );
  });

  it('shrinking in the middle of a rollout keeps what is available', () => {
    const wanted = deployment('b', { replicas: 4 });
    const members = [
      member(replicaSet('a', 5, noted(10, 13, '1'), 0)),
      member(replicaSet('b', 8, noted(10, 13, '2'), 1), { available: 0, ready: 0 }),
    ];
    const sizes = planRollout(wanted, members).map((a) => (a.do === 'scale' ? a.replicas : -1));
    assert.equal(sizes.toSorted(), [2, 3], 'three of the old ones, which are all that is available');
    assert.is(sizes[0], 2);
  });
});
