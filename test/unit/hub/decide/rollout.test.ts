import * as assert from 'uvu/assert';
import { rollUpDeployment } from '../../../../hub/decide/deployment-status.ts';
import { planRollout, rolloutBounds } from '../../../../hub/decide/rollout.ts';
import type { Deployment } from '../../../../protocol/kinds/workloads.ts';
import { applyActions, deployment, freshOf, member, replicaSet, settled } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const REVISION = 'deployment.kubernetes.io/revision';
const noted = (replicas: number, max: number, revision: string): Record<string, string> => ({
  'deployment.kubernetes.io/desired-replicas': String(replicas),
  'deployment.kubernetes.io/max-replicas': String(max),
  [REVISION]: revision,
});
const at = (seconds: number): { atMs: number; time: string } => {
  const atMs = Date.parse('2026-01-01T00:00:00Z') + seconds * 1000;
  return { atMs, time: new Date(atMs).toISOString().replace('.000', '') };
};

spec('rolloutBounds', (it) => {
  const cases: readonly [number, number | string, number | string, number, number][] = [
    [10, '25%', '25%', 3, 2],
    [6, '25%', '25%', 2, 1],
    [1, '25%', '25%', 1, 0],
    [4, 0, 0, 0, 1],
    [2, 0, 5, 0, 2],
  ];
  for (const [replicas, maxSurge, maxUnavailable, surge, unavailable] of cases) {
    it(`${replicas} with ${maxSurge} and ${maxUnavailable}`, () => {
      const wanted = deployment('a', { replicas, strategy: { rollingUpdate: { maxSurge, maxUnavailable } } });
      assert.equal(rolloutBounds(wanted), { replicas, maxSurge: surge, maxUnavailable: unavailable });
    });
  }
});

spec('planRollout', (it) => {
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
});

spec('rollUpDeployment', (it) => {
  const reasons = (wanted: Deployment): unknown =>
    wanted.status?.conditions?.map((c) => `${c.type}=${c.status} ${c.reason}`);
  const roll = (
    wanted: Deployment,
    members: Parameters<typeof rollUpDeployment>[1],
    seconds: number,
  ): Deployment => ({
    ...wanted,
    status: rollUpDeployment(wanted, members, at(seconds)).status,
  });

  it('goes from progressing to available, and times out when stuck', () => {
    const wanted = deployment('a', { progressDeadlineSeconds: 60 });
    const members = applyActions(wanted, [], planRollout(wanted, []), 0);
    const begun = roll(wanted, members, 0);
    assert.equal(reasons(begun), [
      'Available=False MinimumReplicasUnavailable',
      'Progressing=True ReplicaSetUpdated',
    ]);
    assert.is(rollUpDeployment(begun, members, at(20)).lookAgainMs, 40_000);
    assert.equal(reasons(roll(begun, members, 61)), [
      'Available=False MinimumReplicasUnavailable',
      'Progressing=False ProgressDeadlineExceeded',
    ]);
    const done = roll(begun, settled(members), 30);
    assert.equal(reasons(done), [
      'Available=True MinimumReplicasAvailable',
      'Progressing=True NewReplicaSetAvailable',
    ]);
    assert.is(done.status?.unavailableReplicas, 0);
    assert.is(rollUpDeployment(done, settled(members), at(99)).changed, false);
    const fresh = freshOf(wanted, members);
    if (fresh === undefined) throw new Error('no ReplicaSet');
    const hurt = roll(done, [member(fresh.rs, { ready: 1, available: 1 })], 100);
    assert.equal(reasons(hurt), [
      'Available=False MinimumReplicasUnavailable',
      'Progressing=True NewReplicaSetAvailable',
    ]);
  });

  it('says when it is paused', () => {
    assert.match(
      String(reasons(roll(deployment('a', { paused: true }), [], 0))),
      'Progressing=Unknown DeploymentPaused',
    );
  });
});
