import * as assert from 'uvu/assert';
import { rollUpDeployment } from '../../../../hub/decide/deployment-status.ts';
import { planRollout } from '../../../../hub/decide/rollout.ts';
import { NO_DEADLINE, type RolloutOutcome } from '../../../../hub/decide/rollout-progress.ts';
import type { Deployment } from '../../../../protocol/kinds/workloads.ts';
import { applyActions, deployment, freshOf, member, replicaSet, settled } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const at = (seconds: number): { atMs: number; time: string } => {
  const atMs = Date.parse('2026-01-01T00:00:00Z') + seconds * 1000;
  return { atMs, time: new Date(atMs).toISOString().replace('.000', '') };
};
const reasons = (wanted: Deployment): string[] =>
  (wanted.status?.conditions ?? []).map((c) => `${c.type}=${c.status} ${c.reason}`);
const progressing = (wanted: Deployment): string =>
  reasons(wanted).find((r) => r.startsWith('Progressing=')) ?? 'none';
const roll = (
  wanted: Deployment,
  members: Parameters<typeof rollUpDeployment>[1],
  seconds: number,
  outcome?: RolloutOutcome,
): Deployment => ({ ...wanted, status: rollUpDeployment(wanted, members, at(seconds), outcome).status });
const change = (wanted: Deployment, spec: Partial<Deployment['spec']>): Deployment => ({
  ...wanted,
  metadata: { ...wanted.metadata, generation: (wanted.metadata.generation ?? 0) + 1 },
  spec: { ...wanted.spec, ...spec },
});

spec('rollUpDeployment', (it) => {
  it('goes from progressing to available, and times out when stuck', () => {
    const wanted = deployment('a', { progressDeadlineSeconds: 60 });
    const members = applyActions(wanted, [], planRollout(wanted, []), 0);
    const created = freshOf(wanted, members)?.rs.metadata.name ?? '';
    const begun = roll(wanted, members, 0, { created });
    assert.equal(reasons(begun), [
      'Available=False MinimumReplicasUnavailable',
      'Progressing=True NewReplicaSetCreated',
    ]);
    assert.is(rollUpDeployment(begun, members, at(20)).lookAgainMs, 40_000);
    assert.is(rollUpDeployment(begun, members, at(20)).changed, false);
    const stuck = roll(begun, members, 61);
    assert.equal(reasons(stuck), [
      'Available=False MinimumReplicasUnavailable',
      'Progressing=False ProgressDeadlineExceeded',
    ]);
    assert.match(
      stuck.status?.conditions?.[1]?.message ?? '',
      /^ReplicaSet ".*" has timed out progressing.$/,
    );
    assert.is(rollUpDeployment(stuck, members, at(99)).changed, false);
    const moved = roll(
      stuck,
      [member(members[0]?.rs ?? replicaSet('a', 3), { ready: 1, available: 0 })],
      100,
    );
    assert.is(progressing(moved), 'Progressing=True ReplicaSetUpdated', 'a late sign of life counts');
    const done = roll(begun, settled(members), 30);
    assert.equal(reasons(done), [
      'Available=True MinimumReplicasAvailable',
      'Progressing=True NewReplicaSetAvailable',
    ]);
    assert.is(done.status?.unavailableReplicas, undefined, 'none is not told');
    assert.is(done.status?.observedGeneration, 1);
    assert.is(rollUpDeployment(done, settled(members), at(99)).changed, false);
  });

  it('once done stays done when pods are lost or replicas are added', () => {
    const wanted = deployment('a');
    const members = settled(applyActions(wanted, [], planRollout(wanted, []), 0));
    const done = roll(wanted, members, 0);
    const fresh = freshOf(wanted, members)?.rs ?? replicaSet('a', 3);
    const hurt = roll(done, [member(fresh, { ready: 1, available: 1 })], 5000);
    assert.is(progressing(hurt), 'Progressing=True NewReplicaSetAvailable');
    assert.is(hurt.status?.unavailableReplicas, 2);
    const grown = roll(change(done, { replicas: 9 }), members, 5000);
    assert.equal(reasons(grown), [
      'Available=False MinimumReplicasUnavailable',
      'Progressing=True NewReplicaSetAvailable',
    ]);
  });

  it('starts the clock again for another template, also an old one', () => {
    const first = deployment('a', { progressDeadlineSeconds: 60 });
    const olds = settled(applyActions(first, [], planRollout(first, []), 0));
    const done = roll(first, olds, 0);
    const second = change(done, { template: deployment('b').spec.template });
    const both = applyActions(second, olds, planRollout(second, olds), 1000);
    const begun = roll(second, both, 1000);
    assert.is(progressing(begun), 'Progressing=True FoundNewReplicaSet');
    const stuck = roll(begun, both, 1061);
    assert.is(progressing(stuck), 'Progressing=False ProgressDeadlineExceeded');
    const back = change(stuck, { template: first.spec.template });
    const broken = both.map((m) => (m.active > 0 ? m : { ...m, active: 1 }));
    const again = roll(back, broken, 1100);
    assert.is(progressing(again), 'Progressing=True ReplicaSetUpdated', 'a rollback is not born stuck');
    assert.is(progressing(roll(back, olds, 1100)), 'Progressing=True NewReplicaSetAvailable');
  });

  it('does not count time while paused', () => {
    const wanted = deployment('a', { progressDeadlineSeconds: 60 });
    const members = applyActions(wanted, [], planRollout(wanted, []), 0);
    const begun = roll(wanted, members, 0);
    const paused = roll(change(begun, { paused: true }), members, 50);
    assert.is(progressing(paused), 'Progressing=Unknown DeploymentPaused');
    assert.is(rollUpDeployment(paused, members, at(5000)).lookAgainMs, undefined);
    assert.is(rollUpDeployment(paused, members, at(5000)).changed, false);
    const resumed = roll(change(paused, { paused: false }), members, 5000);
    assert.is(progressing(resumed), 'Progressing=Unknown DeploymentResumed');
    assert.is(rollUpDeployment(resumed, members, at(5000)).lookAgainMs, 60_000);
    assert.is(progressing(roll(resumed, members, 5061)), 'Progressing=False ProgressDeadlineExceeded');
    assert.is(progressing(roll(resumed, settled(members), 5061)), 'Progressing=True NewReplicaSetAvailable');
  });

  it('does not forget by a pause that the rollout was stuck', () => {
    const wanted = deployment('a', { progressDeadlineSeconds: 60 });
    const members = applyActions(wanted, [], planRollout(wanted, []), 0);
    const stuck = roll(roll(wanted, members, 0), members, 61);
    const paused = roll(change(stuck, { paused: true }), members, 70);
    assert.is(progressing(paused), 'Progressing=False ProgressDeadlineExceeded');
  });

  it('knows a deployment without a deadline', () => {
    const wanted = deployment('a', { progressDeadlineSeconds: NO_DEADLINE });
    assert.is(progressing(roll(wanted, settled([member(replicaSet('a', 3))]), 0)), 'none');
  });

  it('says why the ReplicaSet or its pods could not be made', () => {
    const failed = roll(deployment('a'), [], 0, { failure: 'no room' });
    assert.is(progressing(failed), 'Progressing=False ReplicaSetCreateError');
    const rs = replicaSet('a', 3);
    rs.status = {
      replicas: 0,
      conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'full' }],
    };
    const told = roll(failed, [member(rs, { active: 0, ready: 0, available: 0 })], 10);
    assert.ok(reasons(told).includes('ReplicaFailure=True FailedCreate'));
    assert.not.ok(
      reasons(roll(told, [member(replicaSet('a', 3))], 20))
        .join()
        .includes('ReplicaFailure'),
    );
  });

  it('asks of Recreate for every replica', () => {
    const wanted = deployment('a', { strategy: { type: 'Recreate' } });
    const members = [member(replicaSet('a', 3), { available: 2 })];
    assert.is(reasons(roll(wanted, members, 0))[0], 'Available=False MinimumReplicasUnavailable');
  });
});
