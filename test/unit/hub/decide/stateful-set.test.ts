import * as assert from 'uvu/assert';
import { claimOwners, claimsFor, ordinalOf, withIdentity } from '../../../../hub/decide/stateful-pod.ts';
import { planStatefulSet } from '../../../../hub/decide/stateful-set.ts';
import { rollUpStatefulSet } from '../../../../hub/decide/stateful-set-status.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import type { PersistentVolumeClaim } from '../../../../protocol/kinds/storage.ts';
import type { StatefulSetSpec } from '../../../../protocol/kinds/workloads.ts';
import { NOW_MS, memberPod as pod, statefulSet, stepText, worldOf } from '../../../build/stateful.ts';
import { spec } from '../../../spec.ts';

const parallel: Partial<StatefulSetSpec> = { podManagementPolicy: 'Parallel' };
const rolling = (partition: number, maxUnavailable?: number | string): Partial<StatefulSetSpec> => ({
  updateStrategy: {
    type: 'RollingUpdate',
    rollingUpdate: { partition, ...(maxUnavailable === undefined ? {} : { maxUnavailable }) },
  },
});
const all = (state: Parameters<typeof pod>[1], revision: string, ...ordinals: number[]): Pod[] =>
  ordinals.map((ordinal) => pod(ordinal, state, revision));

spec('planStatefulSet', (it) => {
  const cases: readonly (readonly [string, Partial<StatefulSetSpec>, readonly Pod[], readonly string[]])[] = [
    ['starts with the lowest', {}, [], ['create 0 new']],
    ['waits for the one before', {}, [pod(0, 'pending')], []],
    ['goes on when it is ready', {}, [pod(0)], ['create 1 new']],
    ['waits for minReadySeconds', { minReadySeconds: 10 }, [pod(0, 'fresh')], []],
    ['fills a gap first', {}, [pod(0), pod(2)], ['create 1 new']],
    ['is done', {}, all('ready', 'new', 0, 1, 2), []],
    ['starts all at once with Parallel', parallel, [pod(1)], ['create 0 new', 'create 2 new']],
    ['counts from its start', { ordinals: { start: 7 } }, [pod(7)], ['create 8 new']],
    ['makes no second pod while one is going', {}, [pod(0, 'terminating')], []],
    ['nor with Parallel', { ...parallel, replicas: 1 }, [pod(0, 'terminating')], []],
    ['replaces a failed pod', {}, [pod(0), pod(1, 'failed')], ['recreate web-1']],
    ['shrinks from the top', { replicas: 1 }, all('ready', 'new', 0, 1, 2), ['scale-down web-2']],
    ['shrinks one at a time', { replicas: 0 }, [...all('ready', 'new', 0, 1), pod(2, 'terminating')], []],
    ['does not shrink while one below is not well', { replicas: 2 }, [pod(0), pod(1, 'pending'), pod(2)], []],
    [
      'shrinks by one that never got well',
      { replicas: 1 },
      [pod(0), pod(1, 'pending')],
      ['scale-down web-1'],
    ],
    [
      'shrinks all at once with Parallel',
      { ...parallel, replicas: 1 },
      [pod(0), pod(1, 'pending'), pod(2)],
      ['scale-down web-2', 'scale-down web-1'],
    ],
    ['leaves alone what has no ordinal', {}, [...all('ready', 'new', 0, 1, 2), named('web-x')], []],
    ['updates the topmost', {}, all('ready', 'old', 0, 1, 2), ['update web-2']],
    ['updates the next when it is ready again', {}, [...all('ready', 'old', 0, 1), pod(2)], ['update web-1']],
    ['waits for the updated one', {}, [...all('ready', 'old', 0, 1), pod(2, 'pending')], []],
    ['stops at the partition', rolling(2), [...all('ready', 'old', 0, 1), pod(2)], []],
    ['makes the old revision below the partition', rolling(1), [], ['create 0 old']],
    [
      'makes the new one from the partition on',
      { ...rolling(1), ...parallel },
      [],
      ['create 0 old', 'create 1 new', 'create 2 new'],
    ],
    ['updates nothing OnDelete', { updateStrategy: { type: 'OnDelete' } }, all('ready', 'old', 0, 1, 2), []],
    [
      'makes the new revision OnDelete',
      { updateStrategy: { type: 'OnDelete' } },
      all('ready', 'old', 0, 1),
      ['create 2 new'],
    ],
    [
      'updates as many as may be away',
      rolling(0, 2),
      all('ready', 'old', 0, 1, 2),
      ['update web-2', 'update web-1'],
    ],
    ['takes a percentage down', rolling(0, '50%'), all('ready', 'old', 0, 1, 2), ['update web-2']],
    [
      'counts those that are away already',
      { ...rolling(0, 2), ...parallel },
      [pod(0, 'ready', 'old'), pod(1, 'pending', 'new'), pod(2, 'ready', 'old')],
      ['update web-2'],
    ],
  ];
  for (const [name, spec, pods, expected] of cases) {
    it(name, () => {
      assert.equal(planStatefulSet(statefulSet(spec), worldOf(pods)).steps.map(stepText), [...expected]);
    });
  }

  it('waits for a claim that is still to go', () => {
    const world = worldOf([pod(0)], { isBlocked: (ordinal) => ordinal === 1 });
    assert.equal(planStatefulSet(statefulSet(), world).steps, []);
  });

  it('says when time alone is awaited', () => {
    const plan = planStatefulSet(statefulSet({ minReadySeconds: 10 }), worldOf([pod(0, 'fresh')]));
    assert.is(plan.lookAgainMs, 9000);
  });

  it('does nothing for a set that is being deleted', () => {
    const set = statefulSet();
    const going = { ...set, metadata: { ...set.metadata, deletionTimestamp: 'now' } };
    assert.equal(planStatefulSet(going, worldOf([])), { steps: [] });
  });
});

function named(name: string): Pod {
  const found = pod(0);
  return { ...found, metadata: { ...found.metadata, name } };
}

spec('rollUpStatefulSet', (it) => {
  const revisions = { current: 'old', update: 'new', collisionCount: 0 };

  it('counts by revision and by readiness', () => {
    const pods = [pod(0, 'ready', 'old'), pod(1, 'pending', 'old'), pod(2, 'fresh', 'new')];
    const { status } = rollUpStatefulSet(statefulSet({ minReadySeconds: 10 }), pods, revisions, NOW_MS);
    assert.equal(status, {
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 2,
      currentReplicas: 2,
      updatedReplicas: 1,
      currentRevision: 'old',
      updateRevision: 'new',
      collisionCount: 0,
      availableReplicas: 1,
    });
  });

  it('makes the new revision the current one when all are updated and ready', () => {
    const { status } = rollUpStatefulSet(statefulSet(), all('ready', 'new', 0, 1, 2), revisions, NOW_MS);
    assert.equal([status.currentRevision, status.currentReplicas], ['new', 3]);
    const set = statefulSet({ updateStrategy: { type: 'OnDelete' } });
    const kept = rollUpStatefulSet(set, all('ready', 'new', 0, 1, 2), revisions, NOW_MS);
    assert.equal([kept.status.currentRevision, kept.status.currentReplicas], ['old', 0]);
  });
});

spec('pods of a stateful set', (it) => {
  it('reads ordinals only of its own names', () => {
    const names = ['web-0', 'web-12', 'web-012', 'web-', 'web-x', 'web', 'other-1', 'web-a-1'];
    assert.equal(
      names.map((name) => ordinalOf('web', name)),
      [0, 12, ...Array(6).fill(undefined)],
    );
  });

  const template = {
    metadata: { name: 'data', labels: { kind: 'data' } },
    spec: { accessModes: ['ReadWriteOnce'] },
  } as unknown as PersistentVolumeClaim;

  it('gives each a name, labels, host name and claims', () => {
    const set = statefulSet({ volumeClaimTemplates: [template] });
    const stamped = {
      metadata: { name: 'web-1', labels: { app: 'web' } },
      spec: {
        ...set.spec.template.spec,
        volumes: [
          { name: 'data', emptyDir: {} },
          { name: 'tmp', emptyDir: {} },
        ],
      },
    };
    const made = withIdentity(set, stamped, 1, 'web-abc');
    assert.equal(made.metadata.labels, {
      app: 'web',
      'statefulset.kubernetes.io/pod-name': 'web-1',
      'apps.kubernetes.io/pod-index': '1',
      'controller-revision-hash': 'web-abc',
    });
    assert.equal([made.spec.hostname, made.spec.subdomain], ['web-1', 'web']);
    assert.equal(made.spec.volumes, [
      { name: 'data', persistentVolumeClaim: { claimName: 'data-web-1' } },
      { name: 'tmp', emptyDir: {} },
    ]);
    const [claim] = claimsFor(set, 1);
    assert.is(claim?.metadata.name, 'data-web-1');
    assert.equal(claim?.metadata.labels, { kind: 'data', app: 'web' });
    assert.is(claim?.metadata.ownerReferences, undefined);
  });

  it('has claims owned as the retention policy says', () => {
    const surplus = pod(2);
    const user = { apiVersion: 'v1', kind: 'Thing', name: 't', uid: 't' };
    const uids = (whenDeleted: string, whenScaled: string, condemned?: Pod): string[] => {
      const policy = { persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled } };
      const present = [user, { apiVersion: 'v1', kind: 'Pod', name: 'web-2', uid: 'earlier' }];
      return claimOwners(statefulSet(policy), condemned, present).map((owner) => owner.uid);
    };
    const pod2 = surplus.metadata.uid;
    assert.equal(uids('Retain', 'Retain', surplus), ['t']);
    assert.equal(uids('Delete', 'Retain', surplus), ['t', 'set']);
    assert.equal(uids('Retain', 'Delete', surplus), ['t', pod2]);
    assert.equal(uids('Delete', 'Delete', surplus), ['t', pod2]);
    assert.equal(uids('Delete', 'Delete'), ['t', 'set']);
    assert.equal(uids('Retain', 'Delete'), ['t']);
  });
});
