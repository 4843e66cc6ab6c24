import * as assert from 'uvu/assert';
import { tallyOf } from '../../../../hub/decide/pod-tally.ts';
import { asReplicaOwner } from '../../../../hub/decide/replica-owner.ts';
import { rollUpReplicaSet } from '../../../../hub/decide/replica-set-status.ts';
import { planReplicas } from '../../../../hub/decide/replicas.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import type { ReplicationController } from '../../../../protocol/kinds/workloads.ts';
import { pod, replicaSet } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const rs = (replicas: number): ReturnType<typeof replicaSet> => replicaSet('a', replicas);
const labels = rs(1).spec.selector.matchLabels ?? {};
const mine = (name: string, parts: Parameters<typeof pod>[1] = {}): Pod =>
  pod(name, { node: 'n1', labels, owner: 'rs-a', ...parts });
const now = { atMs: Date.parse('2026-01-01T00:01:00Z'), time: '2026-01-01T00:01:00Z' };

spec('planReplicas', (it) => {
  const cases: readonly [string, number, readonly Pod[], number, readonly string[]][] = [
    ['converged', 1, [mine('a')], 0, []],
    ['starts the missing', 3, [mine('a')], 2, []],
    ['does not count pods being deleted', 2, [mine('a'), mine('b', { deleting: true })], 1, []],
    ['does not count ended pods', 1, [mine('a', { phase: 'Failed' })], 1, []],
    ['removes not-ready first', 1, [mine('a'), mine('b', { ready: false })], 0, ['b']],
    [
      'removes pending before running',
      1,
      [mine('a', { ready: false }), mine('b', { phase: 'Pending', ready: false })],
      0,
      ['b'],
    ],
    [
      'removes unbound before bound',
      1,
      [
        mine('a', { ready: false, phase: 'Pending' }),
        pod('b', { labels, owner: 'rs-a', phase: 'Pending', ready: false }),
      ],
      0,
      ['b'],
    ],
    [
      'removes the doubled up',
      2,
      [mine('a'), mine('b', { node: 'n2' }), mine('c', { node: 'n2' })],
      0,
      ['b'],
    ],
    [
      'removes the youngest',
      1,
      [mine('a'), mine('b', { node: 'n2', readySince: '2026-01-01T00:00:30Z' })],
      0,
      ['b'],
    ],
    ['removes the restarted', 1, [mine('a'), mine('b', { node: 'n2', restarts: 3 })], 0, ['b']],
    ['goes to zero', 0, [mine('a'), mine('b')], 0, ['a', 'b']],
  ];
  for (const [name, replicas, pods, create, removed] of cases) {
    it(name, () => {
      const plan = planReplicas(rs(replicas), pods);
      assert.is(plan.create, create);
      assert.equal(
        plan.remove.map((p) => p.metadata.name),
        [...removed],
      );
      const reversed = planReplicas(rs(replicas), pods.toReversed());
      assert.equal(
        reversed.remove.map((p) => p.metadata.name),
        [...removed],
        'whatever the order',
      );
    });
  }

  it('of ready pods removes the one that is not yet available', () => {
    const careful = { ...rs(1), spec: { ...rs(1).spec, minReadySeconds: 90 } };
    const late = mine('b', { node: 'n2', readySince: '2026-01-01T00:00:30Z' });
    const doubled = [mine('a'), late, pod('x', { node: 'n1', owner: 'other' })];
    const nowMs = Date.parse('2026-01-01T00:01:45Z');
    const removed = (at: number): unknown =>
      planReplicas(careful, [mine('a'), late], [], { related: doubled, nowMs: at }).remove[0]?.metadata.name;
    assert.is(removed(nowMs), 'b', 'though the other shares its node with a pod of the same deployment');
    assert.is(removed(nowMs + 60_000), 'a', 'both available: the one that shares its node');
  });

  it('adopts what matches and has no owner, releases what no longer matches', () => {
    const orphan = pod('o', { labels, node: 'n1' });
    const stranger = mine('s', { labels: { app: 'debug' } });
    const plan = planReplicas(rs(2), [mine('a'), stranger], [orphan, pod('x', { labels: { app: 'other' } })]);
    assert.equal(
      plan.adopt.map((p) => p.metadata.name),
      ['o'],
    );
    assert.equal(
      plan.release.map((p) => p.metadata.name),
      ['s'],
    );
    assert.is(plan.create, 0);
  });
});

spec('rollUpReplicaSet', (it) => {
  it('counts, and looks again when a pod becomes available by time', () => {
    const set = { ...rs(3), spec: { ...rs(3).spec, minReadySeconds: 90 } };
    const { status, changed, lookAgainMs } = rollUpReplicaSet(
      set,
      tallyOf([mine('a'), mine('b', { ready: false })]),
      undefined,
      now,
    );
    assert.equal(status, {
      replicas: 2,
      fullyLabeledReplicas: 2,
      readyReplicas: 1,
      availableReplicas: 0,
      observedGeneration: 1,
    });
    assert.is(changed, true);
    assert.is(lookAgainMs, 30_000);
    assert.is(
      rollUpReplicaSet({ ...set, status }, tallyOf([mine('a'), mine('b', { ready: false })]), undefined, now)
        .changed,
      false,
    );
  });

  it('says why pods could not be made, and stops saying it', () => {
    const failure = { reason: 'FailedCreate', message: 'no room' } as const;
    const { status } = rollUpReplicaSet(rs(1), tallyOf([]), failure, now);
    assert.equal(
      status.conditions?.map((c) => [c.type, c.reason, c.message]),
      [['ReplicaFailure', 'FailedCreate', 'no room']],
    );
    const again = rollUpReplicaSet(
      { ...rs(1), status },
      tallyOf([]),
      { ...failure, message: 'no room again' },
      now,
    );
    assert.is(again.changed, false, 'trying again costs no write');
    assert.is(
      rollUpReplicaSet({ ...rs(1), status }, tallyOf([]), undefined, now).status.conditions,
      undefined,
    );
  });
});

spec('asReplicaOwner', (it) => {
  const { metadata, spec: own } = rs(2);
  const controller = (parts: Partial<ReplicationController['spec']>): ReplicationController => ({
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata,
    spec: { replicas: 2, selector: labels, template: own.template, ...parts },
  });

  it('plans and counts as for a ReplicaSet, under its own name', () => {
    const owner = asReplicaOwner(controller({ minReadySeconds: 5 }));
    if (owner === undefined) throw new Error('not readable');
    assert.equal(
      [owner.kind, owner.apiVersion, owner.spec.minReadySeconds],
      ['ReplicationController', 'v1', 5],
    );
    const owned = [mine('a')];
    assert.equal(planReplicas(owner, owned), planReplicas(rs(2), owned));
    const plain = asReplicaOwner(controller({})) ?? rs(0);
    assert.equal(
      rollUpReplicaSet(plain, tallyOf(owned), undefined, now),
      rollUpReplicaSet(rs(2), tallyOf(owned), undefined, now),
    );
  });
  it('is nothing without selector or template: it would take every pod', () => {
    assert.is(asReplicaOwner(controller({ selector: {} })), undefined);
    const { template: _, ...rest } = controller({}).spec;
    assert.is(asReplicaOwner({ ...controller({}), spec: rest }), undefined);
  });
});
