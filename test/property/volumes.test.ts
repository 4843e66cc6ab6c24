import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { boundStatus, claimVolume, nameVolume, unclaimVolume } from '../../hub/decide/volumes/binding.ts';
import { nextClaimStep } from '../../hub/decide/volumes/claim-step.ts';
import { findVolume } from '../../hub/decide/volumes/match.ts';
import { provisionedVolume } from '../../hub/decide/volumes/provision.ts';
import { nextVolumeStep, removalsAmong } from '../../hub/decide/volumes/volume-step.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import { claim, only, plainNode, storageClass, volume } from '../build/volumes.ts';
import { spec } from '../spec.ts';

const CLASSES = [
  storageClass('local-path'),
  storageClass('hand', { provisioner: 'kubernetes.io/no-provisioner', volumeBindingMode: 'Immediate' }),
];
const NODES = ['n1', 'n2'];

const anyVolume = fc.record({
  gib: fc.integer({ min: 1, max: 4 }),
  className: fc.constantFrom('', 'hand'),
  policy: fc.constantFrom('Retain' as const, 'Delete' as const),
  node: fc.constantFrom(undefined, ...NODES),
  /** Number of a claim that a person wants it for. */
  wantedFor: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined, freq: 4 }),
});
const anyClaim = fc.record({
  gib: fc.integer({ min: 1, max: 4 }),
  className: fc.constantFrom('', 'hand', 'local-path'),
  node: fc.constantFrom(undefined, ...NODES, 'gone'),
  dies: fc.boolean(),
});
const anyWorld = fc
  .record({ volumes: fc.array(anyVolume, { maxLength: 6 }), claims: fc.array(anyClaim, { maxLength: 6 }) })
  .map(({ volumes, claims }) => ({
    doomed: claims.flatMap((c, i) => (c.dies ? [`c${i}`] : [])),
    volumes: volumes.map((v, i) =>
      volume(
        `v${i}`,
        {
          capacity: { storage: `${v.gib}Gi` },
          storageClassName: v.className,
          persistentVolumeReclaimPolicy: v.policy,
          ...(v.node === undefined ? {} : { nodeAffinity: only(v.node) }),
          ...(v.wantedFor === undefined
            ? {}
            : { claimRef: { namespace: 'default', name: `c${v.wantedFor}` } }),
        },
        'Pending',
      ),
    ),
    claims: claims.map((c, i) =>
      claim(
        { storageClassName: c.className, resources: { requests: { storage: `${c.gib}Gi` } } },
        {
          name: `c${i}`,
          uid: `uid-c${i}`,
          ...(c.node === undefined ? {} : { annotations: { 'volume.kubernetes.io/selected-node': c.node } }),
        },
      ),
    ),
  }));

/** Claims and volumes that are brought together by the steps, as the controller carries them out. */
class Binding {
  readonly volumes: PersistentVolume[];
  claims: PersistentVolumeClaim[];

  constructor(volumes: readonly PersistentVolume[], claims: readonly PersistentVolumeClaim[]) {
    this.volumes = structuredClone([...volumes]);
    this.claims = structuredClone([...claims]);
  }

  /** One look at everything; true when something changed. */
  pass(): boolean {
    const before = JSON.stringify([this.volumes, this.claims]);
    for (const each of this.claims) this.#claim(each);
    for (const each of this.volumes) this.#volume(each);
    return JSON.stringify([this.volumes, this.claims]) !== before;
  }

  settle(): void {
    for (let i = 0; this.pass(); i++) assert.ok(i < 40, 'comes to rest');
  }

  #claim(each: PersistentVolumeClaim): void {
    const step = nextClaimStep(each, {
      volumes: () => this.volumes,
      volume: (name) => this.volumes.find((v) => v.metadata.name === name),
      storageClass: (name) => CLASSES.find((c) => c.metadata.name === name),
      node: (name) => (NODES.includes(name) ? plainNode(name) : undefined),
      waitingPod: () => undefined,
    });
    assert.is.not(step.do, 'lose');
    if (step.do === 'forget-node') each.metadata.annotations = {};
    if (step.do === 'provision') {
      const { metadata, ...made } = provisionedVolume(each, step.storageClass, step.node);
      this.volumes.push({
        ...volume('x'),
        ...made,
        metadata: { ...volume('x').metadata, ...metadata } as PersistentVolume['metadata'],
        status: { phase: 'Pending' },
      });
    }
    if (step.do !== 'bind') return;
    claimVolume(step.volume, each);
    if (step.volume.spec.claimRef?.uid !== each.metadata.uid) return;
    nameVolume(each, step.volume);
    each.status = boundStatus(step.volume);
  }

  #volume(each: PersistentVolume): void {
    const { claimRef } = each.spec;
    const found = this.claims.find((c) => c.metadata.name === claimRef?.name);
    const step = nextVolumeStep(each, { claim: found, dataGone: false, nodeGone: false });
    assert.is.not(step.do, 'delete');
    if (step.do === 'phase') each.status = { phase: step.phase };
    if (step.do === 'free') unclaimVolume(each);
  }
}

spec('claims and volumes, in any state', (it) => {
  it('come to rest with each volume at one claim, and no data given up that a claim has', () => {
    fc.assert(
      fc.property(anyWorld, ({ volumes, claims, doomed }) => {
        const world = new Binding(volumes, claims);
        world.settle();
        const bound = world.claims.filter((c) => c.status?.phase === 'Bound');
        assert.is(new Set(bound.map((c) => c.spec.volumeName)).size, bound.length);
        for (const each of bound) {
          const own = world.volumes.find((v) => v.metadata.name === each.spec.volumeName);
          assert.is(own?.spec.claimRef?.uid, each.metadata.uid);
          assert.is(own?.status?.phase, 'Bound');
        }
        assert.equal(removalsAmong(world.volumes), []);

        world.claims = world.claims.filter((c) => !doomed.includes(c.metadata.name));
        world.settle();
        const alive = new Set(world.claims.map((c) => c.spec.volumeName));
        const removed = removalsAmong(world.volumes);
        assert.ok(removed.every((name) => name.startsWith('pvc-') && !alive.has(name)));
        const homeless = bound.filter(
          (c) => doomed.includes(c.metadata.name) && c.spec.storageClassName === 'local-path',
        );
        assert.is(removed.length, homeless.length);
      }),
    );
  });

  it('find the same volume in any order', () => {
    const both = anyWorld.chain((world) =>
      fc.tuple(fc.constant(world), fc.shuffledSubarray(world.volumes, { minLength: world.volumes.length })),
    );
    fc.assert(
      fc.property(both, ([{ volumes, claims }, shuffled]) => {
        const name = (among: readonly PersistentVolume[], of: PersistentVolumeClaim): string | undefined =>
          findVolume(
            of,
            among.map((v) => ({ ...v, status: { phase: 'Available' } })),
            () => true,
          )?.metadata.name;
        for (const each of claims) assert.is(name(shuffled, each), name(volumes, each));
      }),
    );
  });
});
