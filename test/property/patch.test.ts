import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { applyJsonPatch } from '../../hub/patch/json-patch.ts';
import { isRecord, jsonEqual } from '../../protocol/json.ts';
import { applyMergePatch } from '../../protocol/patch/merge-patch.ts';
import { applyStrategicMerge } from '../../protocol/patch/strategic-merge.ts';
import { schemaOf } from '../../protocol/schema/builtin.ts';
import type { StructType } from '../../protocol/schema/types.ts';
import { spec } from '../spec.ts';

const pod = schemaOf('v1', 'Pod');
if (pod === undefined) throw new Error('no schema of Pod');

type Json = Record<string, unknown>;

const word = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const unique = <T extends Json>(items: fc.Arbitrary<T>, key: string): fc.Arbitrary<T[]> =>
  fc.uniqueArray(items, { selector: (item) => item[key], maxLength: 4 });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

const container = fc.record({
  name: word,
  image: word,
  env: optional(unique(fc.record({ name: word, value: word }), 'name')),
  ports: optional(
    unique(fc.record({ containerPort: fc.integer({ min: 1, max: 4 }), protocol: word }), 'containerPort'),
  ),
  args: optional(fc.array(word, { maxLength: 3 })),
});
const volume = fc.oneof(
  fc.record({ name: word, emptyDir: fc.constant({}) }),
  fc.record({ name: word, hostPath: fc.record({ path: word }) }),
);
const podArbitrary: fc.Arbitrary<Json> = fc
  .record({
    metadata: fc.record({
      labels: optional(fc.dictionary(word, word)),
      finalizers: optional(fc.uniqueArray(word, { maxLength: 4 })),
    }),
    spec: fc.record({
      containers: unique(container, 'name'),
      volumes: optional(unique(volume, 'name')),
      nodeSelector: optional(fc.dictionary(word, word)),
      tolerations: optional(fc.array(fc.record({ key: word }), { maxLength: 3 })),
    }),
  })
  .map((object) => JSON.parse(JSON.stringify(object)) as Json);

/** The patch from one object to another as kubectl computes it: keyed items, directives for deletions and order. */
function diff(type: StructType | undefined, from: Json, to: Json): Json {
  const patch: Json = {};
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) patch[name] = null;
  for (const [name, value] of Object.entries(to)) {
    const before = from[name];
    if (jsonEqual(before, value)) continue;
    const field = type?.fields.get(name);
    const inner = field?.type.is === 'struct' || field?.type.is === 'list' ? innerOf(field.type) : undefined;
    if (isRecord(before) && isRecord(value)) patch[name] = diff(inner, before, value);
    else if (Array.isArray(before) && Array.isArray(value) && field?.merge?.patchKey !== undefined)
      diffList(
        patch,
        name,
        field.merge.patchKey,
        inner,
        before as Json[],
        value as Json[],
        field.merge.retainKeys === true,
      );
    else if (Array.isArray(before) && Array.isArray(value) && field?.merge?.patchSet === true) {
      patch[name] = value.filter((v) => !before.includes(v));
      patch[`$deleteFromPrimitiveList/${name}`] = before.filter((v) => !value.includes(v));
      patch[`$setElementOrder/${name}`] = value;
    } else patch[name] = value;
  }
  return patch;
}

function innerOf(type: {
  is: string;
  name?: string;
  of?: { is: string; name?: string };
}): StructType | undefined {
  const struct = type.is === 'list' ? type.of : type;
  return struct?.is === 'struct' && struct.name !== undefined ? pod?.types(struct.name) : undefined;
}

function diffList(
  patch: Json,
  name: string,
  key: string,
  inner: StructType | undefined,
  before: Json[],
  value: Json[],
  union: boolean,
): void {
  const items = value.flatMap((item) => {
    const old = before.find((b) => b[key] === item[key]);
    if (old === undefined) return [item];
    if (jsonEqual(old, item)) return [];
    return [
      { ...diff(inner, old, item), [key]: item[key], ...(union ? { $retainKeys: Object.keys(item) } : {}) },
    ];
  });
  const gone = before.filter((b) => !value.some((item) => item[key] === b[key]));
  patch[name] = [...items, ...gone.map((b) => ({ $patch: 'delete', [key]: b[key] }))];
  patch[`$setElementOrder/${name}`] = value.map((item) => ({ [key]: item[key] }));
}

spec('applyStrategicMerge', (it) => {
  it('leads to the modified object, from the patch kubectl computes', () => {
    fc.assert(
      fc.property(podArbitrary, podArbitrary, (from, to) => {
        const patched = applyStrategicMerge(pod, from, diff(pod.root, from, to));
        assert.equal(patched, { ok: true, value: to });
      }),
      { numRuns: 1500 },
    );
  });

  it('changes nothing with an empty patch, and nothing a second time', () => {
    fc.assert(
      fc.property(podArbitrary, podArbitrary, (from, to) => {
        assert.equal(applyStrategicMerge(pod, from, {}), { ok: true, value: from });
        const patch = diff(pod.root, from, to);
        const once = applyStrategicMerge(pod, from, patch);
        if (once.ok) assert.equal(applyStrategicMerge(pod, once.value, patch), once);
      }),
      { numRuns: 500 },
    );
  });

  it('never throws, whatever the patch', () => {
    const names = [
      'metadata',
      'spec',
      'containers',
      'volumes',
      'finalizers',
      '$patch',
      '$retainKeys',
      '$setElementOrder/containers',
      '$deleteFromPrimitiveList/finalizers',
      'name',
      '__proto__',
    ];
    const { any } = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, 'delete', 'replace', 'merge', 1, true),
        fc.array(tie('any'), { maxLength: 3 }),
        fc
          .array(fc.tuple(fc.constantFrom(...names), tie('any')), { maxLength: 5 })
          .map((e) => Object.fromEntries(e)),
      ),
    }));
    fc.assert(
      fc.property(any, any, (target, patch) => {
        assert.type(applyStrategicMerge(pod, target, patch).ok, 'boolean');
      }),
      { numRuns: 2000 },
    );
  });
});

spec('applyMergePatch', (it) => {
  it('does nothing a second time', () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (target, patch) => {
        const once = applyMergePatch(JSON.parse(target), JSON.parse(patch));
        assert.is(JSON.stringify(applyMergePatch(once, JSON.parse(patch))), JSON.stringify(once));
      }),
      { numRuns: 500 },
    );
  });
});

spec('applyJsonPatch', (it) => {
  it('never throws, whatever the patch', () => {
    const path = fc.constantFrom(
      '',
      '/',
      '/a',
      '/a/0',
      '/a/-',
      '/a/b',
      '/b~1c',
      '/toString',
      'x',
      '/a/01',
      '/0',
    );
    const operation = fc.record(
      {
        op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
        path,
        from: path,
        value: fc.jsonValue({ maxDepth: 2 }),
      },
      { requiredKeys: ['op', 'path'] },
    );
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), fc.array(operation, { maxLength: 5 }), (target, patch) => {
        assert.type(applyJsonPatch(target, patch).ok, 'boolean');
      }),
      { numRuns: 2000 },
    );
  });
});
