import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { decodeProtobuf } from '../../../../hub/protobuf/decode.ts';
import { ProtobufError } from '../../../../hub/protobuf/reader.ts';
import { spec } from '../../../spec.ts';

/** Bodies as kubectl 1.32 sent them for `kubectl create`. */
const bodies = JSON.parse(readFileSync(new URL('kubectl-bodies.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>;
const bodyOf = (kind: string): Uint8Array => Buffer.from(bodies[kind] ?? '', 'base64');

const container = { name: 'busybox', image: 'busybox:1', ports: [{ containerPort: 80 }], resources: {} };
const EXPECTED: Record<string, object> = {
  ConfigMap: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: 'b', c: '' } },
  Deployment: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'x', labels: { app: 'x' } },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'x' } },
      template: { metadata: { labels: { app: 'x' } }, spec: { containers: [container] } },
      strategy: {},
    },
    status: {},
  },
  CronJob: {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'x' },
    spec: {
      schedule: '* * * * *',
      jobTemplate: {
        metadata: { name: 'x' },
        spec: {
          template: {
            metadata: {},
            spec: {
              containers: [{ name: 'x', image: 'busybox', resources: {} }],
              restartPolicy: 'OnFailure',
            },
          },
        },
      },
    },
    status: {},
  },
  Ingress: {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'x' },
    spec: {
      tls: [{ hosts: ['foo.com'], secretName: 'my' }],
      rules: [
        {
          host: 'foo.com',
          http: {
            paths: [
              {
                path: '/bar',
                pathType: 'Exact',
                backend: { service: { name: 'svc', port: { number: 8080 } } },
              },
            ],
          },
        },
      ],
    },
    status: { loadBalancer: {} },
  },
  ClusterRole: {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'x' },
    rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }],
  },
  ResourceQuota: {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'x' },
    spec: { hard: { cpu: '1', pods: '2' } },
    status: {},
  },
  PodDisruptionBudget: {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'x' },
    spec: { minAvailable: '50%', selector: { matchLabels: { a: 'b' } } },
    status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  },
};

/** A length-delimited field of fewer than 128 bytes. */
const field = (number: number, content: string | Uint8Array): Uint8Array => {
  const bytes = Buffer.from(content);
  return Buffer.from([number * 8 + 2, bytes.length, ...bytes]);
};
const message = (apiVersion: string, kind: string, raw: Uint8Array): Uint8Array =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    field(1, Buffer.concat([field(1, apiVersion), field(2, kind)])),
    field(2, raw),
  ]);

function reasonOf(bytes: Uint8Array): string {
  try {
    decodeProtobuf(bytes);
  } catch (error) {
    if (error instanceof ProtobufError) return error.reason;
    throw error;
  }
  return 'decoded';
}

spec('decodeProtobuf', (it) => {
  for (const [kind, expected] of Object.entries(EXPECTED))
    it(`reads the ${kind} of kubectl create`, () => {
      assert.equal(decodeProtobuf(bodyOf(kind)).object, expected);
    });

  it('refuses every cut-off body or reads a part, and never anything else', () => {
    const whole = bodyOf('Deployment');
    for (let length = 0; length < whole.length; length++)
      assert.not(['too-deep', 'too-large'].includes(reasonOf(whole.subarray(0, length))));
  });

  it('skips numbers it does not know', () => {
    const raw = Buffer.concat([field(15, 'new'), Buffer.from([0x78, 0x01]), field(1, field(1, 'x'))]);
    assert.equal(decodeProtobuf(message('v1', 'ConfigMap', raw)).object, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x' },
    });
  });

  it('reads times: zero is absent, seconds and microseconds', () => {
    const seconds = Buffer.from([0x08, 0x05, 0x10, 0xe8, 0x07]);
    const lease = Buffer.concat([field(1, field(8, '')), field(2, field(4, seconds))]);
    assert.equal(decodeProtobuf(message('coordination.k8s.io/v1', 'Lease', lease)).object, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {},
      spec: { renewTime: '1970-01-01T00:00:05.000001Z' },
    });
  });

  it('keeps a map key __proto__ a plain key', () => {
    const raw = field(2, Buffer.concat([field(1, '__proto__'), field(2, 'x')]));
    assert.is(
      JSON.stringify(decodeProtobuf(message('v1', 'ConfigMap', raw)).object),
      '{"apiVersion":"v1","kind":"ConfigMap","data":{"__proto__":"x"}}',
    );
  });

  it('says why not', () => {
    assert.is(reasonOf(Buffer.from('{}')), 'malformed');
    assert.is(reasonOf(message('v1', 'PodSpec', Buffer.of())), 'unknown-kind');
    assert.is(reasonOf(message('example.com/v1', 'Pod', Buffer.of())), 'unknown-kind');
    assert.is(reasonOf(message('v1', 'ConfigMap', field(2, field(1, Buffer.from([0xff]))))), 'malformed');
    assert.is(reasonOf(message('v1', 'ConfigMap', Buffer.from([0x0b]))), 'malformed');
    assert.is(reasonOf(message('v1', 'ConfigMap', Buffer.alloc(11, 0xff))), 'malformed');
    assert.is(reasonOf(Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(4 * 1024 * 1024)])), 'too-large');
  });

  it('stays linear with many map entries and long numbers', () => {
    const entry = field(2, Buffer.concat([field(1, 'k'), field(2, '')]));
    const raw = Buffer.concat(Array.from({ length: 200_000 }, () => entry));
    const length = Buffer.from([...varint(raw.length)]);
    const envelope = field(1, Buffer.concat([field(1, 'v1'), field(2, 'ConfigMap')]));
    const body = Buffer.concat([Buffer.from('k8s\0'), envelope, Buffer.of(0x12), length, raw]);
    assert.equal(decodeProtobuf(body).object['data'], { k: '' });
  });
});

function* varint(value: number): Generator<number> {
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) yield (rest % 128) + 128;
  yield rest;
}
