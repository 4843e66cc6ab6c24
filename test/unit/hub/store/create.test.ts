import * as assert from 'uvu/assert';
import { apiError, memoryStore, named } from '../../../build/store.ts';
import { spec } from '../../../spec.ts';

spec('Store.createObject', (it) => {
  it('sets what the server sets, and only that', async () => {
    const { store } = await memoryStore();
    const given = named(
      'web',
      { spec: { replicas: 2 } },
      { labels: { a: 'b' }, uid: 'mine', creationTimestamp: 'x' },
    );
    const made = await store.createObject('Deployment', {
      ...given,
      status: { replicas: 9 },
    } as typeof given);
    assert.equal(made, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: 'web',
        namespace: 'default',
        labels: { a: 'b' },
        uid: made.metadata.uid,
        resourceVersion: String(store.revision),
        creationTimestamp: '2026-01-01T00:00:00Z',
        generation: 1,
      },
      spec: { replicas: 2 },
      status: {},
    });
    assert.match(made.metadata.uid, /^uid-/);
    assert.is(given.metadata.uid, 'mine', 'the argument stays as it is');
  });

  it('hands out frozen, shared objects', async () => {
    const { store } = await memoryStore();
    const made = await store.createObject('ConfigMap', named('a', { data: { k: 'v' } }));
    assert.is(store.getObject('ConfigMap', 'default', 'a'), made);
    assert.throws(() => {
      (made.metadata as { name: string }).name = 'b';
    }, /read only/);
    assert.ok(Object.isFrozen((made as { data?: unknown }).data));
  });

  it('generates names: the first 58 characters and 5 without vowels', async () => {
    const { store } = await memoryStore();
    const generateName = `${'n'.repeat(70)}-`;
    const made = await store.createObject('ConfigMap', { metadata: { generateName, namespace: 'default' } });
    assert.match(made.metadata.name, /^n{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    assert.is(made.metadata.generateName, generateName);
    const names = await Promise.all(
      Array.from({ length: 50 }, () =>
        store.createObject('ConfigMap', { metadata: { generateName: 'x-', namespace: 'default' } }),
      ),
    );
    assert.is(new Set(names.map((o) => o.metadata.name)).size, 50);
  });

  const refusals = [
    ['an existing name', 'ConfigMap', named('there'), 'AlreadyExists', 'configmaps "there" already exists'],
    [
      'an absent namespace',
      'ConfigMap',
      named('a', {}, { namespace: 'x' }),
      'NotFound',
      'namespaces "x" not found',
    ],
    [
      'no name',
      'ConfigMap',
      named(''),
      'Invalid',
      'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'an invalid field',
      'Deployment',
      named('d', { spec: { replicas: -1 } }),
      'Invalid',
      'Deployment.apps "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    ],
    [
      'a resourceVersion',
      'ConfigMap',
      named('a', {}, { resourceVersion: '7' }),
      'BadRequest',
      'resourceVersion should not be set on objects to be created',
    ],
    [
      'an unknown kind',
      'Unicorn',
      named('a'),
      'NotFound',
      'the server could not find the requested resource',
    ],
  ] as const;
  for (const [what, kind, object, reason, message] of refusals) {
    it(`refuses ${what} in Kubernetes' words`, async () => {
      const { store } = await memoryStore();
      await store.createObject('ConfigMap', named('there'));
      const before = store.revision;
      const error = await apiError(store.createObject(kind, object));
      assert.equal([error.reason, error.message], [reason, message]);
      assert.is(store.revision, before);
    });
  }

  it('refuses new content in a namespace that is being deleted', async () => {
    const { store } = await memoryStore();
    await store.createObject('Namespace', { metadata: { name: 'old' } });
    await store.deleteObject('Namespace', '', 'old');
    const error = await apiError(store.createObject('ConfigMap', named('a', {}, { namespace: 'old' })));
    assert.is(error.reason, 'Forbidden');
    assert.is(
      error.message,
      'configmaps "a" is forbidden: unable to create new content in namespace old because it is being terminated',
    );
    assert.equal(error.details?.causes, [
      {
        reason: 'NamespaceTerminating',
        message: 'namespace old is being terminated',
        field: 'metadata.namespace',
      },
    ]);
  });

  it('sees writes that are still on their way: a namespace just made, a name just taken', async () => {
    const { store } = await memoryStore();
    const results = await Promise.allSettled([
      store.createObject('Namespace', { metadata: { name: 'new' } }),
      store.createObject('ConfigMap', named('a', {}, { namespace: 'new' })),
      store.createObject('ConfigMap', named('a', {}, { namespace: 'new' })),
    ]);
    assert.equal(
      results.map((r) => r.status),
      ['fulfilled', 'fulfilled', 'rejected'],
    );
  });

  it('makes the lasting namespaces at the first start, and leaves them alone later', async () => {
    const { store, map } = await memoryStore();
    const names = store.list('Namespace').map((n) => n.metadata.name);
    assert.equal(names, ['default', 'kube-node-lease', 'kube-public', 'kube-system']);
    const commits = map.commits;
    await memoryStore({ map });
    assert.is(map.commits, commits);
  });

  it('with dryRun does everything but storing', async () => {
    const { store, map } = await memoryStore();
    const before = [store.revision, map.commits];
    const made = await store.createObject('Deployment', named('d'), { dryRun: true });
    assert.equal((made as { spec?: unknown }).spec, { replicas: 1 });
    assert.is(made.metadata.resourceVersion, '');
    assert.is(
      (
        await apiError(
          store.createObject('Deployment', named('d', { spec: { replicas: -1 } }), { dryRun: true }),
        )
      ).reason,
      'Invalid',
    );
    assert.equal(
      [store.revision, map.commits, store.getObject('Deployment', 'default', 'd')],
      [...before, undefined],
    );
  });
});
