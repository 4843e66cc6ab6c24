import * as assert from 'uvu/assert';
import type { Change } from '../../../../hub/cluster.ts';
import type { Store } from '../../../../hub/store/store.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { apiError, memoryStore, named } from '../../../build/store.ts';
import { spec } from '../../../spec.ts';

async function boundPod(store: Store, more: Record<string, unknown> = {}): Promise<KubeObject> {
  const pod = await store.createObject('Pod', named('p', { spec: { ...more } }));
  await store.bind('default', 'p', pod.metadata.uid, 'n1');
  return pod;
}

const marks = (object: KubeObject): unknown[] => [
  object.metadata.deletionTimestamp,
  object.metadata.deletionGracePeriodSeconds,
];

spec('Store.deleteObject', (it) => {
  it('removes at once what waits for nothing, and tells with the deletion’s own version', async () => {
    const { store } = await memoryStore();
    const made = await store.createObject('ConfigMap', named('a', { data: { k: 'v' } }));
    const seen: Change[] = [];
    store.subscribe((change) => seen.push(change));
    const { object, removed } = await store.deleteObject('ConfigMap', 'default', 'a');
    assert.is(removed, true);
    assert.is(store.getObject('ConfigMap', 'default', 'a'), undefined);
    assert.equal(
      seen.map((c) => [c.type, c.revision]),
      [['deleted', store.revision]],
    );
    assert.is(seen[0]?.object.metadata.resourceVersion, String(store.revision));
    assert.is(seen[0]?.previous, made);
    assert.is(object.metadata.uid, made.metadata.uid);
    assert.is(
      (await apiError(store.deleteObject('ConfigMap', 'default', 'a'))).message,
      'configmaps "a" not found',
    );
  });

  it('refuses by preconditions', async () => {
    const { store } = await memoryStore();
    await store.createObject('ConfigMap', named('a'));
    for (const options of [{ uid: 'x' }, { resourceVersion: '1' }])
      assert.is(
        (await apiError(store.deleteObject('ConfigMap', 'default', 'a', options))).reason,
        'Conflict',
      );
    assert.ok(store.getObject('ConfigMap', 'default', 'a'));
  });

  it('marks a bound pod and leaves it for its grace', async () => {
    const { store } = await memoryStore();
    await boundPod(store);
    const { object, removed } = await store.deleteObject('Pod', 'default', 'p');
    assert.is(removed, false);
    assert.equal(marks(object), ['2026-01-01T00:00:30Z', 30]);
    assert.is(store.getObject('Pod', 'default', 'p'), object);
  });

  it('takes the pod’s own grace, or the caller’s', async () => {
    for (const [own, asked, grace] of [
      [5, undefined, 5],
      [5, 60, 60],
      [5, -3, 1],
    ] as const) {
      const { store } = await memoryStore();
      await boundPod(store, { terminationGracePeriodSeconds: own });
      const options = asked === undefined ? {} : { gracePeriodSeconds: asked };
      const { object } = await store.deleteObject('Pod', 'default', 'p', options);
      assert.is(object.metadata.deletionGracePeriodSeconds, grace);
    }
  });

  it('removes a pod at once when no device holds it, when it has ended, or when told to', async () => {
    const { store } = await memoryStore();
    await store.createObject('Pod', named('p'));
    assert.is((await store.deleteObject('Pod', 'default', 'p')).removed, true);
    const ended = await boundPod(store);
    await store.updateStatusObject(
      'Pod',
      named('p', { status: { phase: 'Succeeded' } }, { uid: ended.metadata.uid }),
    );
    assert.is((await store.deleteObject('Pod', 'default', 'p')).removed, true);
    await boundPod(store);
    assert.is((await store.deleteObject('Pod', 'default', 'p', { gracePeriodSeconds: 0 })).removed, true);
  });

  it('lets a second deletion only shorten the grace', async () => {
    const { store, clock } = await memoryStore();
    await boundPod(store);
    const first = await store.deleteObject('Pod', 'default', 'p');
    await clock.advance(5000);
    for (const options of [{}, { gracePeriodSeconds: 60 }]) {
      const same = await store.deleteObject('Pod', 'default', 'p', options);
      assert.is(same.object, first.object);
    }
    const shorter = await store.deleteObject('Pod', 'default', 'p', { gracePeriodSeconds: 10 });
    assert.equal(marks(shorter.object), ['2026-01-01T00:00:10Z', 10]);
    assert.is((await store.deleteObject('Pod', 'default', 'p', { gracePeriodSeconds: 0 })).removed, true);
  });

  it('keeps an object until its finalizers are gone, and counts the mark as a generation', async () => {
    const { store } = await memoryStore();
    await store.createObject('Deployment', named('d', {}, { finalizers: ['x/y'] }));
    const { object, removed } = await store.deleteObject('Deployment', 'default', 'd');
    assert.equal(
      [removed, object.metadata.generation, ...marks(object)],
      [false, 2, '2026-01-01T00:00:00Z', 0],
    );
    const seen: string[] = [];
    store.subscribe((change) => seen.push(change.type));
    await store.updateObject('Deployment', named('d', { spec: { replicas: 1 } }));
    assert.equal(seen, ['deleted']);
    assert.is(store.getObject('Deployment', 'default', 'd'), undefined);
  });

  it('keeps a bound pod for its grace though its finalizers are gone', async () => {
    const { store } = await memoryStore();
    await boundPod(store);
    await store.modifyObject('Pod', 'default', 'p', (o) => ({
      ...o,
      metadata: { ...o.metadata, finalizers: ['x/y'] },
    }));
    await store.deleteObject('Pod', 'default', 'p', { gracePeriodSeconds: 0 });
    assert.equal(store.getObject('Pod', 'default', 'p')?.metadata.deletionGracePeriodSeconds, 0);
    await store.modifyObject('Pod', 'default', 'p', (o) => ({
      ...o,
      metadata: { ...o.metadata, finalizers: [] },
    }));
    assert.is(store.getObject('Pod', 'default', 'p'), undefined);
  });

  for (const [propagation, finalizer] of [
    ['Foreground', 'foregroundDeletion'],
    ['Orphan', 'orphan'],
  ] as const) {
    it(`leaves ${propagation} deletion to the garbage controller`, async () => {
      const { store } = await memoryStore();
      await store.createObject('Deployment', named('d'));
      const { object, removed } = await store.deleteObject('Deployment', 'default', 'd', { propagation });
      assert.equal([removed, object.metadata.finalizers], [false, [finalizer]]);
      assert.is((await store.deleteObject('Deployment', 'default', 'd')).removed, false);
      assert.is(
        (await store.deleteObject('Deployment', 'default', 'd', { propagation: 'Background' })).removed,
        true,
      );
    });
  }

  it('with dryRun tells what would happen, and does nothing', async () => {
    const { store } = await memoryStore();
    await boundPod(store);
    const before = store.revision;
    assert.is(
      (await store.deleteObject('Pod', 'default', 'p', { dryRun: true, gracePeriodSeconds: 0 })).removed,
      true,
    );
    assert.is((await store.deleteObject('Pod', 'default', 'p', { dryRun: true })).removed, false);
    assert.equal(
      [store.revision, store.get('Pod', 'default', 'p')?.metadata.deletionTimestamp],
      [before, undefined],
    );
  });
});

spec('Store.deleteObject of namespaces', (it) => {
  it('marks it terminating until its finalizer is taken away', async () => {
    const { store } = await memoryStore();
    await store.createObject('Namespace', { metadata: { name: 'x' } });
    const { object, removed } = await store.deleteObject('Namespace', '', 'x');
    assert.is(removed, false);
    assert.equal((object as { status?: unknown }).status, { phase: 'Terminating' });
    assert.is((await store.deleteObject('Namespace', 'ignored', 'x')).object, object);
    await store.updateObject('Namespace', { ...object, spec: { finalizers: [] } } as KubeObject);
    assert.is(store.getObject('Namespace', '', 'x'), object, 'the main resource keeps the finalizer');
    await store.updateObject('Namespace', { ...object, spec: { finalizers: [] } } as KubeObject, {
      subresource: 'finalize',
    });
    assert.is(store.getObject('Namespace', '', 'x'), undefined);
  });

  it('lets the loops finish one through modify', async () => {
    const { store } = await memoryStore();
    await store.create('Namespace', { metadata: { name: 'x' } });
    await store.delete('Namespace', '', 'x');
    await store.modify('Namespace', '', 'x', (draft) => {
      draft.spec = { finalizers: [] };
      return true;
    });
    assert.is(store.get('Namespace', '', 'x'), undefined);
  });

  it('never deletes the lasting ones', async () => {
    const { store } = await memoryStore();
    for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
      const error = await apiError(store.deleteObject('Namespace', '', name));
      assert.equal(
        [error.reason, error.message],
        ['Forbidden', `namespaces "${name}" is forbidden: this namespace may not be deleted`],
      );
    }
  });
});

spec('Store.deleteCollection', (it) => {
  it('deletes what matches in the namespace, and tells what stays', async () => {
    const { store } = await memoryStore();
    await boundPod(store);
    for (const name of ['a', 'b', 'c']) await store.createObject('Pod', named(name));
    await store.createObject('Pod', named('a', {}, { namespace: 'kube-system' }));
    const removals = await store.deleteCollection('Pod', 'default', {}, (o) => o.metadata.name !== 'c');
    assert.equal(
      removals.map((r) => [r.object.metadata.name, r.removed]),
      [
        ['a', true],
        ['b', true],
        ['p', false],
      ],
    );
    assert.equal(
      store.list('Pod').map((o) => o.metadata.name),
      ['c', 'p', 'a'],
    );
  });
});
