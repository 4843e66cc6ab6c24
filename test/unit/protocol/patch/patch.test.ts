import * as assert from 'uvu/assert';
import { applyMergePatch } from '../../../../protocol/patch/merge-patch.ts';
import { applyStrategicMerge } from '../../../../protocol/patch/strategic-merge.ts';
import { schemaOf } from '../../../../protocol/schema/builtin.ts';
import { spec } from '../../../spec.ts';

spec('applyMergePatch', (it) => {
  // The examples of RFC 7386, appendix A.
  const cases: readonly (readonly [string, string, string])[] = [
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ['{}', '{"__proto__":{"polluted":1}}', '{"__proto__":{"polluted":1}}'],
  ];
  for (const [target, patch, expected] of cases)
    it(`${target} + ${patch}`, () => {
      assert.is(JSON.stringify(applyMergePatch(JSON.parse(target), JSON.parse(patch))), expected);
      assert.is(({} as { polluted?: number }).polluted, undefined);
    });
});

const schema = schemaOf('apps/v1', 'Deployment') ?? assert.unreachable('no schema');

/** The containers, volumes and the like of a deployment after a patch of its pod spec. */
function podSpecAfter(before: object, patch: object): unknown {
  if (schema === undefined) return undefined;
  const wrap = (podSpec: object): object => ({ spec: { template: { spec: podSpec } } });
  const patched = applyStrategicMerge(schema, wrap(before), wrap(patch));
  if (!patched.ok) return patched.why;
  return (patched.value as { spec: { template: { spec: unknown } } }).spec.template.spec;
}

const named = (...names: string[]): { name: string }[] => names.map((name) => ({ name }));

spec('applyStrategicMerge', (it) => {
  const cases: readonly (readonly [string, object, object, unknown])[] = [
    [
      'merges list items by key and leaves the others alone',
      {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '1', tty: true },
        ],
      },
      { containers: [{ name: 'b', image: '2' }] },
      {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '2', tty: true },
        ],
      },
    ],
    [
      'puts new items first',
      { containers: named('a') },
      { containers: named('n') },
      { containers: named('n', 'a') },
    ],
    [
      'puts them where the order says',
      { containers: named('a', 'b', 'x') },
      { '$setElementOrder/containers': named('a', 'n', 'b'), containers: named('n') },
      { containers: named('a', 'n', 'b', 'x') },
    ],
    [
      'reorders without other changes',
      { containers: named('a', 'x', 'b') },
      { '$setElementOrder/containers': named('b', 'a') },
      { containers: named('x', 'b', 'a') },
    ],
    [
      'deletes an item',
      { containers: named('a', 'b') },
      { containers: [{ name: 'a', $patch: 'delete' }] },
      { containers: named('b') },
    ],
    [
      'replaces a list',
      { containers: named('a', 'b') },
      { containers: [{ $patch: 'replace' }, ...named('c')] },
      { containers: named('c') },
    ],
    ['deletes with null', { hostname: 'a', nodeName: 'b' }, { hostname: null }, { nodeName: 'b' }],
    [
      'replaces lists without a key',
      { tolerations: [{ key: 'a' }] },
      { tolerations: [{ key: 'b' }] },
      { tolerations: [{ key: 'b' }] },
    ],
    [
      'keeps only the retained keys of a union',
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] },
      { volumes: [{ name: 'v', hostPath: { path: '/x' } }] },
    ],
    [
      'replaces a map whole',
      { nodeSelector: { a: '1', b: '2' } },
      { nodeSelector: { $patch: 'replace', c: '3' } },
      { nodeSelector: { c: '3' } },
    ],
    [
      'empties a map',
      { nodeSelector: { a: '1' } },
      { nodeSelector: { $patch: 'delete' } },
      { nodeSelector: {} },
    ],
    [
      'stores no directive and no null of what is new',
      {},
      { containers: [{ name: 'a', image: null, env: [{ name: 'E', $patch: 'delete' }] }] },
      { containers: [{ name: 'a', env: [] }] },
    ],
    [
      'wants the merge key',
      { containers: named('a') },
      { containers: [{ image: 'x' }] },
      'map: {"image":"x"} does not contain declared merge key: name',
    ],
    [
      'knows its directives',
      { nodeSelector: {} },
      { nodeSelector: { $patch: 'burn' } },
      'unknown patch type [burn] in map',
    ],
    [
      'refuses fields that are set but not retained',
      { volumes: named('v') },
      { volumes: [{ name: 'v', $retainKeys: ['name'], emptyDir: {} }] },
      'the patch sets fields that its $retainKeys does not list',
    ],
  ];
  for (const [name, before, patch, expected] of cases)
    it(name, () => {
      const copy = structuredClone({ before, patch });
      assert.equal(podSpecAfter(before, patch), expected);
      assert.equal({ before, patch }, copy, 'the arguments are unchanged');
    });

  it('unites and shrinks lists of scalars', () => {
    if (schema === undefined) return;
    const before = { metadata: { finalizers: ['a/1', 'a/2', 'a/3'] } };
    const patch = {
      metadata: { finalizers: ['a/4'], '$deleteFromPrimitiveList/finalizers': ['a/2'] },
    };
    assert.equal(applyStrategicMerge(schema, before, patch), {
      ok: true,
      value: { metadata: { finalizers: ['a/4', 'a/1', 'a/3'] } },
    });
  });

  it('replaces the selector of a disruption budget whole', () => {
    const budget = schemaOf('policy/v1', 'PodDisruptionBudget');
    if (budget === undefined) return assert.unreachable('no schema');
    const selector = (labels: object): object => ({ spec: { selector: { matchLabels: labels } } });
    assert.equal(applyStrategicMerge(budget, selector({ a: '1' }), selector({ b: '2' })), {
      ok: true,
      value: selector({ b: '2' }),
    });
  });

  it('refuses what is no object or too deep', () => {
    if (schema === undefined) return;
    assert.is(applyStrategicMerge(schema, {}, []).ok, false);
    let deep: object = {};
    for (let i = 0; i < 100_000; i++) deep = { a: deep };
    assert.is(applyStrategicMerge(schema, {}, deep).ok, false);
  });

  it('pollutes no prototype', () => {
    if (schema === undefined) return;
    const patch: unknown = JSON.parse('{"__proto__":{"polluted":1},"metadata":{"__proto__":{"polluted":1}}}');
    assert.is(applyStrategicMerge(schema, { metadata: {} }, patch).ok, true);
    assert.is(({} as { polluted?: number }).polluted, undefined);
  });
});
