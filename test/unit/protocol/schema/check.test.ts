import * as assert from 'uvu/assert';
import { schemaOf } from '../../../../protocol/schema/builtin.ts';
import { checkFields } from '../../../../protocol/schema/check.ts';
import { duplicateFields } from '../../../../protocol/schema/duplicates.ts';
import { pruneFields } from '../../../../protocol/schema/prune.ts';
import type { Schema } from '../../../../protocol/schema/types.ts';
import { spec } from '../../../spec.ts';

function schema(apiVersion: string, kind: string): Schema {
  const found = schemaOf(apiVersion, kind);
  if (found === undefined) throw new Error(`no schema for ${apiVersion} ${kind}`);
  return found;
}

const deployment = schema('apps/v1', 'Deployment');
const pod = schema('v1', 'Pod');
const inContainer = (container: object): object => ({ spec: { containers: [{ name: 'a' }, container] } });

spec('schemaOf', (it) => {
  it('finds kinds of every group, and the options every group has', () => {
    for (const [apiVersion, kind] of [
      ['v1', 'Event'],
      ['events.k8s.io/v1', 'Event'],
      ['coordination.k8s.io/v1', 'Lease'],
      ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
      ['autoscaling/v1', 'Scale'],
      ['policy/v1', 'Eviction'],
      ['apps/v1', 'DeleteOptions'],
      ['v1', 'DeleteOptions'],
    ] as const)
      assert.ok(schemaOf(apiVersion, kind), `${apiVersion} ${kind}`);
  });

  it('knows no parts, no other groups and no prototype', () => {
    for (const [apiVersion, kind] of [
      ['v1', 'PodSpec'],
      ['v1', 'Deployment'],
      ['example.com/v1', 'Pod'],
      ['__proto__', 'toString'],
      ['', ''],
    ] as const)
      assert.is(schemaOf(apiVersion, kind), undefined);
  });
});

spec('checkFields', (it) => {
  const unknown: readonly (readonly [Schema, object, string[]])[] = [
    [deployment, { apiVersion: 'apps/v1', kind: 'Deployment', spec: { replicas: 1 } }, []],
    [deployment, { spec: { replicaz: 1 } }, ['unknown field "spec.replicaz"']],
    [
      pod,
      inContainer({ x: 1, y: 2 }),
      ['unknown field "spec.containers[1].x"', 'unknown field "spec.containers[1].y"'],
    ],
    [pod, inContainer({ livenessProbe: { httpGet: { port: 1 }, exec: { command: [] } } }), []],
    [pod, { spec: { kind: 'x' } }, ['unknown field "spec.kind"']],
    [pod, { metadata: { labels: { anything: 'goes' }, managedFields: [{ fieldsV1: { 'f:x': {} } }] } }, []],
    [
      schema('apps/v1', 'StatefulSet'),
      { spec: { volumeClaimTemplates: [{ kind: 'PersistentVolumeClaim' }] } },
      [],
    ],
  ];
  for (const [of, object, expected] of unknown)
    it(`unknown: ${JSON.stringify(object)}`, () =>
      assert.equal(checkFields(of, object), { unknown: expected, typeErrors: [] }));

  const QUANTITY =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  const wrong: readonly (readonly [Schema, unknown, string])[] = [
    [
      deployment,
      { spec: { replicas: '3' } },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      deployment,
      { spec: { replicas: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      deployment,
      { spec: { replicas: 2 ** 31 } },
      'json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      deployment,
      { spec: [] },
      'json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec',
    ],
    [deployment, 'x', 'json: cannot unmarshal string into Go value of type v1.Deployment'],
    [
      pod,
      { spec: { containers: {} } },
      'json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      pod,
      { metadata: { labels: { a: 1 } } },
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [
      pod,
      { metadata: { labels: 'a' } },
      'json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string',
    ],
    [
      pod,
      { metadata: { name: true } },
      'json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.name of type string',
    ],
    [pod, inContainer({ resources: { limits: { cpu: 'lots' } } }), QUANTITY],
    [
      pod,
      inContainer({ livenessProbe: { tcpSocket: { port: true } } }),
      'json: cannot unmarshal bool into Go value of type int32',
    ],
    [
      pod,
      { metadata: { creationTimestamp: 'now' } },
      'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"',
    ],
    [schema('v1', 'Secret'), { data: { a: '%%' } }, 'illegal base64 data at input byte 0'],
  ];
  for (const [of, object, expected] of wrong)
    it(`type: ${JSON.stringify(object)}`, () =>
      assert.equal(checkFields(of, object), { unknown: [], typeErrors: [expected] }));

  it('takes null as absent and numbers as quantities', () => {
    const object = {
      metadata: { creationTimestamp: null },
      status: null,
      ...inContainer({ resources: { limits: { cpu: 2 } } }),
    };
    assert.equal(checkFields(pod, object), { unknown: [], typeErrors: [] });
  });

  it('bounds what it reports', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
    assert.is(checkFields(pod, many).unknown.length, 50);
  });
});

spec('pruneFields', (it) => {
  it('drops unknown fields and nulls, and writes quantities as texts', () => {
    const object = {
      kind: 'Pod',
      metadata: { creationTimestamp: null, labels: { a: null } },
      spec: { nope: 1, containers: [{ name: 'a', resources: { limits: { cpu: 2 } } }, null] },
    };
    assert.equal(pruneFields(pod, object), {
      kind: 'Pod',
      metadata: { labels: { a: '' } },
      spec: { containers: [{ name: 'a', resources: { limits: { cpu: '2' } } }, {}] },
    });
  });

  it('keeps a key __proto__ a plain key', () => {
    const object = JSON.parse('{"metadata":{"labels":{"__proto__":"x"}},"__proto__":{"a":1}}') as object;
    const pruned = pruneFields(pod, object);
    assert.is(JSON.stringify(pruned), '{"metadata":{"labels":{"__proto__":"x"}}}');
    assert.is((pruned as { a?: number }).a, undefined);
  });
});

spec('duplicateFields', (it) => {
  const cases: readonly (readonly [string, string[]])[] = [
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}', []],
    ['{"spec":{"replicas":1,"replicas":2}}', ['duplicate field "spec.replicas"']],
    ['{"c":[{"a":1},{"a":2,"b":{},"a":"},{"}]}', ['duplicate field "c[1].a"']],
    ['{"a":1,"\\u0061":2,"a":3}', ['duplicate field "a"']],
    ['[[{"a":1,"a":2}]]', ['duplicate field "[0][0].a"']],
    ['{"a":"a\\"b","b":"{","b":1}', ['duplicate field "b"']],
    ['"just a text"', []],
  ];
  for (const [json, expected] of cases) it(json, () => assert.equal(duplicateFields(json), expected));

  it('is linear in the size of the text', () => {
    const json = `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":[[[]]]`).join(',')},"k0":1}`;
    assert.equal(duplicateFields(json), ['duplicate field "k0"']);
  });
});
