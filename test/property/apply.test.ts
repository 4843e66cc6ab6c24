import * as fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Applied, applyConfig } from '../../protocol/apply/apply.ts';
import { createdFieldsV1 } from '../../protocol/apply/created.ts';
import { configFaults } from '../../protocol/apply/faults.ts';
import {
  intersection,
  isEmptySet,
  pathTexts,
  readFieldsV1,
  union,
  writeFieldsV1,
} from '../../protocol/apply/field-set.ts';
import { ownable } from '../../protocol/apply/ownable.ts';
import { shapeOfKind } from '../../protocol/apply/shape.ts';
import { trackUpdate } from '../../protocol/apply/update.ts';
import { compareFields, fieldsOf } from '../../protocol/apply/walks.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { podKind } from '../../protocol/kinds/pod-kind.ts';
import { spec } from '../spec.ts';

const shape = shapeOfKind(podKind);
const name = fc.constantFrom('a', 'b', 'c');
const value = fc.constantFrom('1', '2');
const labels = fc.dictionary(name, value, { maxKeys: 3, noNullPrototype: true });
const byName = <T extends object>(more: fc.Arbitrary<T>): fc.Arbitrary<(T & { name: string })[]> =>
  fc.uniqueArray(
    fc.tuple(name, more).map(([n, rest]) => ({ ...rest, name: n })),
    { selector: (item) => item.name, maxLength: 3 },
  );
const some = <T>(arbitrary: fc.Arbitrary<T>, key: string): fc.Arbitrary<Record<string, T>> =>
  fc.option(arbitrary, { nil: undefined }).map((v) => (v === undefined ? {} : { [key]: v }));

const container = fc
  .tuple(
    some(value, 'image'),
    some(fc.array(value, { maxLength: 2 }), 'args'),
    some(byName(some(value, 'value')), 'env'),
    some(
      fc
        .uniqueArray(fc.constantFrom(80, 81), { maxLength: 2 })
        .map((ps) => ps.map((containerPort) => ({ containerPort }))),
      'ports',
    ),
  )
  .map((parts) => Object.assign({}, ...parts) as object);
const config: fc.Arbitrary<KubeObject> = fc
  .tuple(
    some(labels, 'labels'),
    some(fc.uniqueArray(fc.constantFrom('x/1', 'x/2'), { maxLength: 2 }), 'finalizers'),
    some(byName(container), 'containers'),
    some(labels, 'nodeSelector'),
  )
  .map(
    ([labelPart, finalizers, containers, selector]) =>
      ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', ...labelPart, ...finalizers },
        spec: { ...containers, ...selector },
      }) as unknown as KubeObject,
  );
const manager = fc.constantFrom('one', 'two', 'three');
const step = fc.record({ manager, config, force: fc.boolean(), plain: fc.boolean() });

let second = 0;
function run(
  live: KubeObject | undefined,
  s: { manager: string; config: KubeObject; force: boolean },
): Applied {
  second += 1;
  return applyConfig({
    shape,
    live,
    config: s.config,
    manager: s.manager,
    apiVersion: 'v1',
    force: s.force,
    now: `time ${second}`,
    subresource: '',
    hasStatus: true,
  });
}

/** A few writes of all sorts, one after the other; refused ones change nothing. */
function world(
  steps: readonly { manager: string; config: KubeObject; force: boolean; plain: boolean }[],
): KubeObject | undefined {
  let live: KubeObject | undefined;
  for (const s of steps) {
    if (s.plain) {
      const managedFields = trackUpdate({
        shape,
        live,
        next: s.config,
        manager: s.manager,
        apiVersion: 'v1',
        now: 'n',
        subresource: '',
        hasStatus: true,
      });
      live = {
        ...s.config,
        metadata: { ...s.config.metadata, ...(managedFields === undefined ? {} : { managedFields }) },
      };
    } else {
      const result = run(live, s);
      if (result.ok) live = result.object;
    }
  }
  return live;
}

const setsOf = (
  o: KubeObject | undefined,
): { operation: string; set: ReturnType<typeof readFieldsV1> & object }[] =>
  (o?.metadata.managedFields ?? []).map((m) => {
    const set = readFieldsV1(m.fieldsV1);
    if (set === undefined) throw new Error('unreadable fields');
    return { operation: m.operation ?? '', set };
  });

const RUNS = { numRuns: 300 };

spec('server-side apply holds', (it) => {
  it('apply after apply is apply', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), step, (before, last) => {
        const first = run(world(before), { ...last, force: true });
        assert.ok(first.ok);
        const again = run(first.ok ? first.object : undefined, { ...last, force: false });
        assert.ok(again.ok, 'a repeated apply conflicts with nobody');
        assert.equal(again, first);
      }),
      RUNS,
    );
  });

  it('what was applied is there, and is owned by who applied it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), step, (before, last) => {
        const result = run(world(before), { ...last, force: true });
        if (!result.ok) throw new Error('force was refused');
        // Containers are paths too here: an empty map that was sent may hold entries of others, or an empty list nobody owns.
        const added = pathTexts(compareFields(shape, {}, result.object).added);
        const there = [...pathTexts(fieldsOf(shape, result.object)), ...added];
        for (const path of pathTexts(fieldsOf(shape, last.config)))
          assert.ok(
            there.some((p) => p.startsWith(path)),
            path,
          );
        assert.equal(configFaults(shape, result.object), []);
      }),
      RUNS,
    );
  });

  it('updaters share no leaf that was changed under them, and all owned fields exist', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const live = world(steps);
        const sets = setsOf(live);
        const updaters = sets.filter((s) => s.operation === 'Update');
        updaters.forEach((a, i) => {
          for (const b of updaters.slice(i + 1)) assert.ok(isEmptySet(intersection(a.set, b.set)));
        });
        const text = JSON.stringify(live);
        for (const { set } of sets)
          for (const path of pathTexts(set)) {
            const leaf = /\.([a-zA-Z]+)$/.exec(path)?.[1];
            if (leaf !== undefined) assert.ok(text.includes(`"${leaf}"`), `${path} is owned but absent`);
          }
      }),
      RUNS,
    );
  });

  it('a refused apply names only fields that others own', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), step, (before, last) => {
        const live = world(before);
        const result = run(live, { ...last, force: false });
        // What nobody manages yet is managed, for this once, by its past: its fields are named nowhere.
        if (result.ok || (live?.metadata.managedFields ?? []).length === 0) return;
        const owned = new Set(setsOf(live).flatMap(({ set }) => pathTexts(set)));
        for (const c of result.conflicts)
          for (const path of pathTexts(c.fields)) assert.ok(owned.has(path), path);
      }),
      RUNS,
    );
  });

  it('creations are told in one walk as by comparing with nothing', () => {
    const part = { subresource: '', hasStatus: true };
    fc.assert(
      fc.property(config, (c) => {
        const { added, modified } = compareFields(shape, {}, c);
        assert.equal(createdFieldsV1(shape, c, part), writeFieldsV1(ownable(union(added, modified), part)));
      }),
      RUNS,
    );
  });

  it('field sets survive being written and read', () => {
    fc.assert(
      fc.property(config, (c) => {
        const text = writeFieldsV1(fieldsOf(shape, c));
        assert.equal(writeFieldsV1(readFieldsV1(text) ?? { here: false, inner: new Map() }), text);
      }),
      RUNS,
    );
  });
});
