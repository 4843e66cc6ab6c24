import * as assert from 'uvu/assert';
import type { Change } from '../../../../hub/cluster.ts';
import type { ObjectInput } from '../../../../hub/store/plan-create.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { apiError, memoryStore, named } from '../../../build/store.ts';
import { spec } from '../../../spec.ts';

const edited = (object: KubeObject, more: Record<string, unknown>): ObjectInput => ({
  ...structuredClone(object),
  ...more,
});

spec('Store.updateObject', (it) => {
  it('replaces everything but status, and counts generation for content only', async () => {
    const { store } = await memoryStore();
    const made = await store.createObject('Deployment', named('d'));
    const status = await store.updateStatusObject('Deployment', edited(made, { status: { replicas: 1 } }));
    assert.is(status.metadata.generation, 1);
    const spec2 = await store.updateObject(
      'Deployment',
      edited(status, { spec: { replicas: 3 }, status: {} }),
    );
    assert.is(spec2.metadata.generation, 2);
    assert.equal((spec2 as { status?: unknown }).status, { replicas: 1 });
    const metadata = { ...spec2.metadata, labels: { a: 'b' } };
    const labelled = await store.updateObject('Deployment', edited(spec2, { metadata }));
    assert.is(labelled.metadata.generation, 2);
    assert.equal(labelled.metadata.labels, { a: 'b' });
  });

  it('status replaces status only', async () => {
    const { store } = await memoryStore();
    const made = await store.createObject('Deployment', named('d'));
    const input = edited(made, { spec: { replicas: 9 }, status: { x: 1 } });
    (input.metadata as KubeObject['metadata']).labels = { no: 'no' };
    const next = await store.updateStatusObject('Deployment', input);
    assert.equal([(next as { spec?: unknown }).spec, next.metadata.labels], [{ replicas: 1 }, undefined]);
    const error = await apiError(store.updateStatusObject('ConfigMap', named('d')));
    assert.is(error.reason, 'NotFound');
  });

  it('takes a later time of the same managers for no change', async () => {
    const { store } = await memoryStore();
    const managed = (time: string, replicas: number): ObjectInput => {
      const fieldsV1 = { 'f:spec': { 'f:replicas': {} } };
      const entry = {
        manager: 'me',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        time,
        fieldsType: 'FieldsV1',
        fieldsV1,
      };
      const input = named('d', { spec: { replicas } });
      return { ...input, metadata: { ...input.metadata, managedFields: [entry] } } as ObjectInput;
    };
    const made = await store.createObject('Deployment', managed('2026-01-01T00:00:00Z', 1), {
      writer: 'given',
    });
    const later = managed('2026-01-01T00:00:09Z', 1);
    assert.is(await store.updateObject('Deployment', later, { writer: 'given' }), made);
    const other = await store.updateObject('Deployment', managed('2026-01-01T00:00:09Z', 2), {
      writer: 'given',
    });
    assert.is(other.metadata.managedFields?.[0]?.time, '2026-01-01T00:00:09Z');
  });

  it('keeps resourceVersion and stays silent when nothing changes', async () => {
    const { store, map } = await memoryStore();
    const made = await store.createObject('Deployment', named('d', { spec: { b: 1, a: [1, { z: null }] } }));
    const seen: Change[] = [];
    store.subscribe((change) => seen.push(change));
    const commits = map.commits;
    const reordered = { ...named('d', { spec: { a: [1, { z: null }], b: 1 } }), extra: undefined };
    assert.is(await store.updateObject('Deployment', reordered), made);
    assert.is(await store.updateStatusObject('Deployment', made), made);
    assert.equal([seen.length, map.commits], [0, commits]);
  });

  it('keeps identity and deletion state whatever the caller sends', async () => {
    const { store } = await memoryStore();
    const made = await store.createObject('ConfigMap', named('a', {}, { finalizers: ['x/y'] }));
    const { object } = await store.deleteObject('ConfigMap', 'default', 'a');
    const next = await store.updateObject(
      'ConfigMap',
      named('a', { data: { k: 'v' } }, { finalizers: ['x/y'] }),
    );
    assert.is(next.metadata.uid, made.metadata.uid);
    assert.is(next.metadata.creationTimestamp, made.metadata.creationTimestamp);
    assert.is(next.metadata.deletionTimestamp, object.metadata.deletionTimestamp);
  });

  const conflict =
    'the object has been modified; please apply your changes to the latest version and try again';
  const refusals: readonly [string, (o: KubeObject) => ObjectInput, string, string][] = [
    ['an absent object', () => named('none'), 'NotFound', 'configmaps "none" not found'],
    [
      'an older version',
      () => named('a', {}, { resourceVersion: '1' }),
      'Conflict',
      `Operation cannot be fulfilled on configmaps "a": ${conflict}`,
    ],
    [
      'another incarnation',
      () => named('a', {}, { uid: 'other' }),
      'Conflict',
      'Operation cannot be fulfilled on configmaps "a": Precondition failed: UID in precondition: other, UID in object meta: UID',
    ],
    [
      'what the kind forbids to change',
      () => named('a', { data: { k: 'new' }, immutable: true }),
      'Invalid',
      'ConfigMap "a" is invalid: data: Forbidden: field is immutable when `immutable` is set',
    ],
  ];
  for (const [what, input, reason, message] of refusals) {
    it(`refuses ${what} in Kubernetes' words`, async () => {
      const { store } = await memoryStore();
      const made = await store.createObject('ConfigMap', named('a', { data: { k: 'v' }, immutable: true }));
      const error = await apiError(store.updateObject('ConfigMap', input(made)));
      assert.equal([error.reason, error.message.replace(made.metadata.uid, 'UID')], [reason, message]);
    });
  }

  it('lets exactly one of several writers with the same version through', async () => {
    const { store } = await memoryStore();
    const made = await store.createObject('ConfigMap', named('a'));
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        store.updateObject('ConfigMap', edited(made, { data: { i: String(i) } })),
      ),
    );
    assert.is(results.filter((r) => r.status === 'fulfilled').length, 1);
  });

  it('creates leases and events that are not there, and nothing else', async () => {
    const { store } = await memoryStore();
    const lease = await store.updateObject('Lease', named('node-1', { spec: { n: 1 } }));
    assert.is(store.getObject('Lease', 'default', 'node-1'), lease);
    assert.is(
      (await apiError(store.updateObject('Lease', named('node-2', {}, { resourceVersion: '5' })))).reason,
      'NotFound',
    );
  });

  it('with dryRun tells what would come, and stores nothing', async () => {
    const { store } = await memoryStore();
    const made = await store.createObject('Deployment', named('d'));
    const next = await store.updateObject('Deployment', edited(made, { spec: { replicas: 5 } }), {
      dryRun: true,
    });
    assert.equal(
      [next.metadata.generation, next.metadata.resourceVersion],
      [2, made.metadata.resourceVersion],
    );
    assert.is(store.getObject('Deployment', 'default', 'd'), made);
  });
});

spec('Store.modify', (it) => {
  it('never conflicts, however many change one object at once', async () => {
    const { store } = await memoryStore();
    await store.create('ConfigMap', { metadata: { name: 'a', namespace: 'default' } });
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        store.modify('ConfigMap', 'default', 'a', (draft) => {
          draft.data = { ...draft.data, [`k${i}`]: 'v' };
          return true;
        }),
      ),
    );
    assert.is(Object.keys(store.get('ConfigMap', 'default', 'a')?.data ?? {}).length, 20);
  });

  it('leaves alone on false, is undefined when absent, passes on what the change throws', async () => {
    const { store } = await memoryStore();
    const made = await store.create('ConfigMap', { metadata: { name: 'a', namespace: 'default' } });
    assert.is(await store.modify('ConfigMap', 'default', 'a', () => false), made);
    assert.is(await store.modify('ConfigMap', 'default', 'none', () => true), undefined);
    const error = await store
      .modifyObject('ConfigMap', 'default', 'a', () => {
        throw new RangeError('no');
      })
      .catch((e: unknown) => e);
    assert.instance(error, RangeError);
    assert.is(
      (await apiError(store.modifyObject('ConfigMap', 'default', 'none', () => undefined))).reason,
      'NotFound',
    );
  });

  it('changes status alone when asked to', async () => {
    const { store } = await memoryStore();
    await store.createObject('Deployment', named('d'));
    const next = await store.modify(
      'Deployment',
      'default',
      'd',
      (draft) => {
        draft.status = { replicas: 4 };
        draft.spec.replicas = 9;
        return true;
      },
      'status',
    );
    assert.equal([next?.status, next?.spec.replicas], [{ replicas: 4 }, 1]);
  });
});

spec('Store.bind', (it) => {
  it('binds a pod once, and only the one it was meant for', async () => {
    const { store } = await memoryStore();
    const pod = await store.createObject('Pod', named('p'));
    const refused = await apiError(store.bind('default', 'p', 'another-uid', 'n1'));
    assert.is(refused.reason, 'Conflict');
    await store.bind('default', 'p', pod.metadata.uid, 'n1');
    const bound = store.get('Pod', 'default', 'p');
    assert.is(bound?.spec.nodeName, 'n1');
    assert.equal(bound?.status?.conditions, [
      { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]);
    const again = await apiError(store.bind('default', 'p', pod.metadata.uid, 'n2'));
    assert.match(again.message, 'pod p is already assigned to node "n1"');
    assert.equal(
      store.podsOnNode('n1').map((p) => p.metadata.name),
      ['p'],
    );
    assert.is((await apiError(store.bind('default', 'q', 'u', 'n2'))).reason, 'NotFound');
  });
});
