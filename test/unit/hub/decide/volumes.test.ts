import * as assert from 'uvu/assert';
import { admitStorage, defaultClassOf } from '../../../../hub/decide/volumes/admit-storage.ts';
import { claimVolume, nameVolume, unclaimVolume } from '../../../../hub/decide/volumes/binding.ts';
import { type ClaimWorld, nextClaimStep } from '../../../../hub/decide/volumes/claim-step.ts';
import { findVolume, whyUnsuitable } from '../../../../hub/decide/volumes/match.ts';
import { claimedVolumes, volumeNeeds } from '../../../../hub/decide/volumes/pod-volumes.ts';
import { provisionedVolume } from '../../../../hub/decide/volumes/provision.ts';
import {
  nextVolumeStep,
  removalsAmong,
  type VolumeWorld,
} from '../../../../hub/decide/volumes/volume-step.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../../../protocol/kinds/storage.ts';
import { claim, only, plainNode, refTo, storageClass, volume } from '../../../build/volumes.ts';
import { spec } from '../../../spec.ts';

const plain = claim({ storageClassName: '' });
const done = { 'pv.kubernetes.io/bind-completed': 'yes' };
const ours = { 'pv.kubernetes.io/provisioned-by': 'coxswain.dev/local-path' };

spec('matching volumes', (it) => {
  const refusals: readonly (readonly [string, PersistentVolume, string | undefined])[] = [
    ['takes one that suits', volume('v'), undefined],
    ['wants enough room', volume('v', { capacity: { storage: '1Mi' } }), 'requested PV is too small'],
    ['wants its class', volume('v', { storageClassName: 'x' }), 'storageClassName does not match'],
    ['wants its mode', volume('v', { volumeMode: 'Block' }), 'incompatible volumeMode'],
    ['wants its access', volume('v', { accessModes: ['ReadOnlyMany'] }), 'incompatible accessMode'],
  ];
  for (const [name, found, why] of refusals) it(name, () => assert.is(whyUnsuitable(found, plain), why));

  const choices: readonly (readonly [string, readonly PersistentVolume[], string | undefined])[] = [
    [
      'takes the smallest, in any order',
      [
        volume('large', { capacity: { storage: '9Gi' } }),
        volume('small'),
        volume('tiny', { capacity: { storage: '1Ki' } }),
      ],
      'small',
    ],
    [
      'takes none that is bound',
      [volume('v', { claimRef: { namespace: 'x', name: 'y', uid: 'z' } })],
      undefined,
    ],
    ['takes none that is not available', [volume('v', {}, 'Released')], undefined],
    ['takes none that is going', [volume('v', {}, 'Available', { deletionTimestamp: 'now' })], undefined],
    [
      'prefers the one that names it',
      [volume('a'), volume('mine', { claimRef: { namespace: 'default', name: 'data' } })],
      'mine',
    ],
    [
      'takes none that names an earlier claim of its name',
      [volume('v', { claimRef: { namespace: 'default', name: 'data', uid: 'earlier' } })],
      undefined,
    ],
  ];
  for (const [name, volumes, expected] of choices) {
    it(name, () => {
      assert.is(findVolume(plain, volumes, () => true)?.metadata.name, expected);
      assert.is(findVolume(plain, volumes.toReversed(), () => true)?.metadata.name, expected);
    });
  }

  it('selects by labels', () => {
    const picky = claim({ storageClassName: '', selector: { matchLabels: { disk: 'ssd' } } });
    const found = [volume('a'), volume('b', {}, 'Available', { labels: { disk: 'ssd' } })];
    assert.is(findVolume(picky, found, () => true)?.metadata.name, 'b');
  });
});

const worldWith = (volumes: readonly PersistentVolume[], parts: Partial<ClaimWorld> = {}): ClaimWorld => ({
  volumes: () => volumes,
  volume: (name) => volumes.find((v) => v.metadata.name === name),
  storageClass: (name) =>
    [
      storageClass('local-path'),
      storageClass('now', { volumeBindingMode: 'Immediate' }),
      storageClass('far', { provisioner: 'example.com/nfs', volumeBindingMode: 'Immediate' }),
      storageClass('hand', { provisioner: 'kubernetes.io/no-provisioner' }),
      storageClass('ssd', {
        allowedTopologies: [{ matchLabelExpressions: [{ key: 'disk', values: ['ssd', 'nvme'] }] }],
      }),
    ].find((c) => c.metadata.name === name),
  node: (name) => (name === 'n1' ? plainNode('n1') : undefined),
  waitingPod: () => undefined,
  ...parts,
});
const selected = (node: string): Partial<PersistentVolumeClaim['metadata']> => ({
  annotations: { 'volume.kubernetes.io/selected-node': node },
});

spec('nextClaimStep', (it) => {
  const bound = claim({ volumeName: 'v' }, { annotations: done });
  const cases: readonly (readonly [string, PersistentVolumeClaim, ClaimWorld, string])[] = [
    ['waits for a pod', claim(), worldWith([]), 'wait WaitForFirstConsumer'],
    ['waits for the pod', claim(), worldWith([], { waitingPod: () => 'p' }), 'wait WaitForPodScheduled'],
    ['provisions on the chosen node', claim({}, selected('n1')), worldWith([]), 'provision'],
    [
      'forgets a node that is gone',
      claim({}, selected('n9')),
      worldWith([]),
      'forget-node ProvisioningFailed',
    ],
    [
      'cannot provision at once',
      claim({ storageClassName: 'now' }),
      worldWith([]),
      'wait ProvisioningFailed',
    ],
    [
      'cannot share a folder',
      claim({ accessModes: ['ReadWriteMany'] }, selected('n1')),
      worldWith([]),
      'wait ProvisioningFailed',
    ],
    ['asks others', claim({ storageClassName: 'far' }), worldWith([]), 'ask ExternalProvisioning'],
    ['misses its class', claim({ storageClassName: 'none' }), worldWith([]), 'wait ProvisioningFailed'],
    ['finds nothing without class', plain, worldWith([]), 'wait FailedBinding'],
    ['binds what is free', plain, worldWith([volume('v')]), 'bind'],
    [
      'takes none before its pod has a node',
      claim({ storageClassName: 'hand' }),
      worldWith([volume('v', { storageClassName: 'hand' })]),
      'wait WaitForFirstConsumer',
    ],
    [
      'takes one of the chosen node',
      claim({ storageClassName: 'hand' }, selected('n1')),
      worldWith([volume('v', { storageClassName: 'hand', nodeAffinity: only('n1') })]),
      'bind',
    ],
    [
      'takes none of another node',
      claim({ storageClassName: 'hand' }, selected('n1')),
      worldWith([volume('v', { storageClassName: 'hand', nodeAffinity: only('n2') })]),
      'wait FailedBinding',
    ],
    ['waits for the volume it names', claim({ volumeName: 'v' }), worldWith([]), 'wait'],
    [
      'says when the named one does not suit',
      claim({ volumeName: 'v' }),
      worldWith([volume('v')]),
      'wait VolumeMismatch',
    ],
    [
      'says when the named one is taken',
      claim({ volumeName: 'v', storageClassName: '' }),
      worldWith([volume('v', { claimRef: { namespace: 'a', name: 'b', uid: 'c' } })]),
      'wait FailedBinding',
    ],
    ['gets its status', bound, worldWith([volume('v', { claimRef: refTo(bound) }, 'Bound')]), 'bind'],
    [
      'stays bound',
      { ...bound, status: { phase: 'Bound' } },
      worldWith([volume('v', { claimRef: refTo(bound) }, 'Bound')]),
      'nothing',
    ],
    ['is lost without its volume', bound, worldWith([]), 'lose ClaimLost'],
    [
      'is lost when the volume is of another',
      bound,
      worldWith([volume('v', { claimRef: { namespace: 'a', name: 'b', uid: 'c' } })]),
      'lose ClaimMisbound',
    ],
    [
      'binds nothing while it goes',
      claim({}, { deletionTimestamp: 'now' }),
      worldWith([volume('v')]),
      'nothing',
    ],
  ];
  for (const [name, subject, world, expected] of cases) {
    it(name, () => {
      const step = nextClaimStep(subject, world);
      const reason = 'note' in step ? step.note?.reason : undefined;
      assert.is([step.do, ...(reason === undefined ? [] : [reason])].join(' '), expected);
    });
  }

  it('needs nothing more once both sides are written', () => {
    const before = claim({ storageClassName: '' });
    const found = volume('v');
    const [c, v] = [structuredClone(before), structuredClone(found)];
    assert.is(claimVolume(v, c), true);
    assert.is(nameVolume(c, v), true);
    assert.equal([claimVolume(v, c), nameVolume(c, v)], [false, false]);
    assert.is(nextClaimStep(c, worldWith([v])).do, 'bind');
    unclaimVolume(v);
    assert.equal(v.spec, found.spec);
  });
});

spec('nextVolumeStep', (it) => {
  const held = claim({ volumeName: 'v' }, { annotations: done });
  const world = (parts: Partial<VolumeWorld> = {}): VolumeWorld => ({
    claim: undefined,
    dataGone: false,
    nodeGone: false,
    ...parts,
  });
  const own = (
    phase: string,
    more: Partial<PersistentVolume['metadata']> = {},
    policy = 'Delete',
  ): PersistentVolume =>
    volume(
      'v',
      {
        claimRef: refTo(held),
        nodeAffinity: only('n1'),
        persistentVolumeReclaimPolicy: policy as 'Delete',
      },
      phase,
      {
        annotations: ours,
        finalizers: ['coxswain.dev/data-on-device', 'kubernetes.io/pv-protection'],
        ...more,
      },
    );
  const going = { deletionTimestamp: 'now' };
  const cases: readonly (readonly [string, PersistentVolume, VolumeWorld, string])[] = [
    ['becomes available', volume('v', {}, 'Pending'), world(), 'phase Available'],
    ['stays available', volume('v'), world(), 'nothing'],
    ['becomes bound', own('Available'), world({ claim: held }), 'phase Bound'],
    ['stays bound', own('Bound'), world({ claim: held }), 'nothing'],
    ['is released with its claim', own('Bound'), world(), 'phase Released'],
    [
      'is released by a claim of the same name',
      own('Bound'),
      world({ claim: claim({}, { uid: 'later' }) }),
      'phase Released',
    ],
    ['waits for the device', own('Released'), world(), 'tell-device'],
    ['waits when the node is gone', own('Released'), world({ nodeGone: true }), 'tell-device'],
    ['goes when the data is gone', own('Released'), world({ dataGone: true }), 'delete'],
    ['is kept with Retain', own('Released', {}, 'Retain'), world(), 'nothing'],
    [
      'fails where nobody can delete',
      volume('v', { claimRef: refTo(held), persistentVolumeReclaimPolicy: 'Delete' }, 'Released'),
      world(),
      'phase Failed',
    ],
    [
      'fails to recycle',
      volume('v', { claimRef: refTo(held), persistentVolumeReclaimPolicy: 'Recycle' }, 'Released'),
      world(),
      'phase Failed',
    ],
    [
      'is free again when its claim has another',
      own('Bound', { annotations: {} }),
      world({ claim: claim({ volumeName: 'w' }) }),
      'free',
    ],
    ['is held while bound', own('Bound', going), world({ claim: held }), 'nothing'],
    [
      'is held while data is left',
      own('Released', going),
      world(),
      'drop-finalizers kubernetes.io/pv-protection',
    ],
    [
      'and then still',
      own('Released', { ...going, finalizers: ['coxswain.dev/data-on-device'] }),
      world(),
      'tell-device',
    ],
    [
      'ends when the data is gone',
      own('Released', going),
      world({ dataGone: true }),
      'drop-finalizers coxswain.dev/data-on-device,kubernetes.io/pv-protection',
    ],
    [
      'ends when a person gives up a node that is gone',
      own('Released', going),
      world({ nodeGone: true }),
      'drop-finalizers coxswain.dev/data-on-device,kubernetes.io/pv-protection',
    ],
    [
      'ends with its data where that is retained',
      own('Released', going, 'Retain'),
      world(),
      'drop-finalizers coxswain.dev/data-on-device,kubernetes.io/pv-protection',
    ],
  ];
  for (const [name, subject, at, expected] of cases) {
    it(name, () => {
      const step = nextVolumeStep(subject, at);
      const more =
        step.do === 'phase' ? step.phase : step.do === 'drop-finalizers' ? step.finalizers.join() : '';
      assert.is(`${step.do} ${more}`.trim(), expected);
    });
  }

  it('has a device remove only what is released for deletion and lies there', () => {
    const named = (name: string, of: PersistentVolume): PersistentVolume => ({
      ...of,
      metadata: { ...of.metadata, name },
    });
    const all = [
      named('z', own('Released')),
      named('a', own('Released')),
      own('Bound'),
      own('Released', {}, 'Retain'),
      own('Released', { annotations: {} }),
      volume('hand', { claimRef: refTo(held), nodeAffinity: only('n1') }, 'Released'),
    ];
    assert.equal(removalsAmong(all), ['a', 'z']);
  });
});

spec('volumes of a pod', (it) => {
  const user = {
    metadata: { name: 'p', namespace: 'default', uid: 'p' },
    spec: {
      containers: [],
      volumes: [{ name: 'vol', persistentVolumeClaim: { claimName: 'data', readOnly: true } }],
    },
  } as unknown as Pod;
  const lookup = (
    found: PersistentVolumeClaim | undefined,
    volumes: readonly PersistentVolume[] = [],
    usedByOther = false,
  ): Parameters<typeof volumeNeeds>[1] => ({
    claim: () => found,
    volume: (name) => volumes.find((v) => v.metadata.name === name),
    storageClass: worldWith([]).storageClass,
    volumes: () => volumes,
    usedByOther: () => usedByOther,
  });
  const bound = claim({ volumeName: 'v' }, { annotations: done });
  const pod = (spec: Partial<PersistentVolumeClaim['spec']>): PersistentVolumeClaim => claim(spec);
  const cases: readonly (readonly [string, Parameters<typeof volumeNeeds>[1], string])[] = [
    ['claim missing', lookup(undefined), 'persistentvolumeclaim "data" not found'],
    [
      'claim going',
      lookup(claim({}, { deletionTimestamp: 'x' })),
      'persistentvolumeclaim "data" is being deleted',
    ],
    [
      'immediate',
      lookup(pod({ storageClassName: 'now' })),
      'pod has unbound immediate PersistentVolumeClaims',
    ],
    ['waits for it', lookup(claim()), ''],
    [
      'where its class allows it',
      lookup(pod({ storageClassName: 'ssd' })),
      'limit claim "data" needs a node where class "ssd" allows volumes',
    ],
    [
      'no volume by hand',
      lookup(pod({ storageClassName: 'hand' })),
      'limit claim "data" needs a volume of class "hand"',
    ],
    ['volume gone', lookup(bound), 'persistentvolumeclaim "data" bound to non-existent persistentvolume "v"'],
    ['volume anywhere', lookup(bound, [volume('v', { claimRef: refTo(bound) })]), ''],
    [
      'volume somewhere',
      lookup(bound, [volume('v', { claimRef: refTo(bound), nodeAffinity: only('n1') })]),
      'limit volume "v" of claim "data" lies on node "n1"',
    ],
    [
      'for one pod alone',
      lookup(pod({ accessModes: ['ReadWriteOncePod'] }), [], true),
      'persistentvolumeclaim "data" is ReadWriteOncePod and used by another pod',
    ],
  ];
  for (const [name, at, expected] of cases) {
    it(`says where it may go: ${name}`, () => {
      const needs = volumeNeeds(user, at);
      assert.is(needs.ok ? needs.limits.map((l) => `limit ${l.detail}`).join() : needs.reason, expected);
    });
  }

  it('tells the device what its claims stand for', () => {
    const found = volume('v', { claimRef: refTo(bound) });
    assert.equal(claimedVolumes(user, lookup(bound, [found])), {
      vol: { volume: 'v', path: '/srv', readOnly: true },
    });
    const provisioned = volume('v', { claimRef: refTo(bound) }, 'Bound', { annotations: ours });
    assert.equal(claimedVolumes(user, lookup(bound, [provisioned])), {
      vol: { volume: 'v', readOnly: true },
    });
    assert.equal(claimedVolumes(user, lookup(claim())), {});
    const away = volume('v', { claimRef: refTo(bound), nodeAffinity: only('n1') }, 'Bound', {
      annotations: ours,
    });
    const on = (nodeName: string): Pod => ({ ...user, spec: { ...user.spec, nodeName } });
    assert.equal(claimedVolumes(on('n1'), lookup(bound, [away])), { vol: { volume: 'v', readOnly: true } });
    assert.equal(claimedVolumes(on('n2'), lookup(bound, [away])), {});
    assert.is(claimedVolumes({ ...user, spec: { containers: [] } }, lookup(bound)), undefined);
  });
});

spec('new claims and volumes', (it) => {
  it('get the newest default class and are protected', () => {
    const standard = (name: string, creationTimestamp: string): ReturnType<typeof storageClass> => {
      const found = storageClass(name);
      const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
      return { ...found, metadata: { ...found.metadata, creationTimestamp, annotations } };
    };
    const classes = [
      standard('a', '2026-01-01T00:00:00Z'),
      standard('b', '2026-02-01T00:00:00Z'),
      storageClass('c'),
    ];
    assert.is(defaultClassOf(classes)?.metadata.name, 'b');
    assert.is(defaultClassOf([]), undefined);
    const { storageClassName: _, ...without } = claim().spec;
    const made = { ...claim(), spec: { ...without } } as PersistentVolumeClaim;
    admitStorage(made, () => classes);
    assert.equal(
      [made.spec.storageClassName, made.metadata.finalizers],
      ['b', ['kubernetes.io/pvc-protection']],
    );
    const none = claim({ storageClassName: '' });
    admitStorage(none, () => classes);
    assert.is(none.spec.storageClassName, '');
    const held = volume('v');
    admitStorage(held, () => classes);
    assert.equal(held.metadata.finalizers, ['kubernetes.io/pv-protection']);
  });

  it('lie in the data directory of the node', () => {
    const node = plainNode('n1', { 'coxswain.dev/data-dir': '/data' });
    const made = provisionedVolume(claim(), storageClass('local-path'), node);
    assert.equal(made.spec.local, { path: '/data/volumes/pvc-uid-data' });
    assert.equal(made.spec.nodeAffinity, only('n1'));
    assert.equal(
      [made.spec.capacity, made.spec.persistentVolumeReclaimPolicy],
      [{ storage: '1Gi' }, 'Delete'],
    );
  });
});
