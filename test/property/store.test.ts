import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { Change } from '../../hub/cluster.ts';
import { objectKey } from '../../hub/store/collection.ts';
import type { Store } from '../../hub/store/store.ts';
import { DurableError } from '../../kit/durable-error.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { type MemoryMap, memoryStore, named } from '../build/store.ts';
import { spec } from '../spec.ts';

const KINDS = ['ConfigMap', 'Deployment', 'Lease'] as const;
type Kind = (typeof KINDS)[number];

interface Op {
  readonly do: 'create' | 'update' | 'delete' | 'release';
  readonly kind: Kind;
  readonly name: string;
  readonly value: number;
  /** The object is created or updated with a finalizer, so that a deletion only marks it. */
  readonly held: boolean;
}

/** What the model knows of an object. */
interface Known {
  readonly value: number;
  readonly held: boolean;
  readonly dying: boolean;
}

type Model = Map<string, Known>;

const op: fc.Arbitrary<Op> = fc.record({
  do: fc.constantFrom('create', 'update', 'delete', 'release'),
  kind: fc.constantFrom(...KINDS),
  name: fc.constantFrom('a', 'b', 'c'),
  value: fc.integer({ min: 0, max: 2 }),
  held: fc.boolean(),
});
const groups = fc.array(
  fc.record({
    ops: fc.array(op, { minLength: 1, maxLength: 6 }),
    diskFull: fc.boolean(),
    watch: fc.boolean(),
  }),
  { minLength: 1, maxLength: 15 },
);

/** Carries an operation out in the model; yields the reason of its refusal, or undefined. */
function predict(model: Model, { do: verb, kind, name, value, held }: Op): string | undefined {
  const key = `${kind}/${name}`;
  const known = model.get(key);
  const put = (next: Known): undefined => {
    if (next.dying && !next.held) model.delete(key);
    else model.set(key, next);
  };
  if (verb === 'create') return known === undefined ? put({ value, held, dying: false }) : 'AlreadyExists';
  if (known === undefined) {
    if (verb === 'update' && kind === 'Lease') return put({ value, held, dying: false });
    return 'NotFound';
  }
  if (verb === 'delete') return put({ ...known, dying: true });
  if (verb === 'release') return put({ ...known, held: false });
  return put({ value, held, dying: known.dying });
}

function perform(store: Store, { do: verb, kind, name, value, held }: Op): Promise<unknown> {
  const finalizers = held ? ['x.dev/hold'] : [];
  const object = named(name, { spec: { value } }, { finalizers });
  if (verb === 'create') return store.createObject(kind, object);
  if (verb === 'update') return store.updateObject(kind, object);
  if (verb === 'delete') return store.deleteObject(kind, 'default', name);
  return store.modifyObject(kind, 'default', name, (current) => ({
    ...current,
    metadata: { ...current.metadata, finalizers: [] },
  }));
}

const known = (object: KubeObject): Known => ({
  value: (object as KubeObject & { spec: { value: number } }).spec.value,
  held: (object.metadata.finalizers ?? []).length > 0,
  dying: object.metadata.deletionTimestamp !== undefined,
});

/** A watcher that rebuilds the state from a list and the changes after it, checking their order. */
class Mirror {
  readonly objects = new Map<string, KubeObject>();
  #revision: number;

  constructor(store: Store) {
    this.#revision = store.revision;
    for (const kind of KINDS)
      for (const object of store.listObjects(kind).items)
        this.objects.set(`${kind} ${objectKey(object)}`, object);
    store.watch(undefined, this.#revision, (change) => this.#take(change));
  }

  #take(change: Change): void {
    assert.ok(change.revision > this.#revision, 'revisions rise');
    assert.is(change.object.metadata.resourceVersion, String(change.revision));
    this.#revision = change.revision;
    const key = `${change.kind} ${objectKey(change.object)}`;
    assert.is(change.previous, this.objects.get(key), 'each change follows on the one before');
    assert.is(change.type === 'added', change.previous === undefined);
    if (change.type === 'deleted') this.objects.delete(key);
    else this.objects.set(key, change.object);
  }
}

const state = (store: Store): Model =>
  new Map(
    KINDS.flatMap((kind) =>
      store.listObjects(kind).items.map((o) => [`${kind}/${o.metadata.name}`, known(o)] as const),
    ),
  );

const sorted = (model: Model): [string, Known][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));

spec(
  'Store against a simple model',
  (it) => {
    it('agrees on every answer, its watchers end with its state, and a restart finds what is durable', async () => {
      await fc.assert(
        fc.asyncProperty(groups, async (plan) => {
          const { store, map } = await memoryStore();
          const mirrors: Mirror[] = [new Mirror(store)];
          let model: Model = new Map();
          for (const { ops, diskFull, watch } of plan) {
            if (watch) mirrors.push(new Mirror(store));
            map.failure = diskFull ? new DurableError('NoSpace', 'full') : undefined;
            const durable = ops.filter((o) => o.kind !== 'Lease');
            const after = new Map(model);
            const predicted = ops.map((o) => predict(after, o));
            const results = await Promise.allSettled(ops.map((o) => perform(store, o)));
            for (const [i, result] of results.entries()) {
              const reason: unknown = result.status === 'rejected' ? result.reason.reason : undefined;
              // On a full disk a write is refused, unless it changes nothing or is refused for itself.
              if (diskFull && ops[i]?.kind !== 'Lease')
                assert.ok(reason === 'InsufficientStorage' || reason === predicted[i]);
              else assert.is(reason, predicted[i]);
            }
            model = diskFull ? new Map([...after].filter(([key]) => key.startsWith('Lease'))) : after;
            if (diskFull)
              for (const [key, value] of state(store)) if (!key.startsWith('Lease')) model.set(key, value);
            assert.equal(sorted(state(store)), sorted(model));
            if (diskFull && durable.length > 0)
              assert.equal(
                durableState(map),
                sorted(model).filter(([key]) => !key.startsWith('Lease')),
              );
          }
          for (const mirror of mirrors) assert.equal(sorted(mirrored(mirror)), sorted(model));
          map.failure = undefined;
          const again = (await memoryStore({ map })).store;
          assert.ok(again.revision >= store.revision);
          assert.equal(
            sorted(state(again)),
            sorted(model).filter(([key]) => !key.startsWith('Lease')),
          );
        }),
        { numRuns: 400 },
      );
    });
  },
  { caseTimeoutMs: 60_000 },
);

const mirrored = (mirror: Mirror): Model =>
  new Map([...mirror.objects.values()].map((o) => [`${o.kind}/${o.metadata.name}`, known(o)]));

/** What a restart would find of the kinds under test. */
function durableState(map: MemoryMap): [string, Known][] {
  const objects = [...map.entries].filter(([key]) => KINDS.some((kind) => key.startsWith(`${kind}/`)));
  return sorted(
    new Map(objects.map(([key, value]) => [key.replace('/default/', '/'), known(value as KubeObject)])),
  );
}
