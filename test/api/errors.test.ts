/** What the API refuses, in Kubernetes' codes, reasons and words. */
import * as assert from 'uvu/assert';
import type { Status } from '../../protocol/status.ts';
import { spec } from '../spec.ts';
import { type AskOptions, GUEST_TOKEN, startHub, type TestHub } from './hub.ts';
import { readyNode } from './worlds.ts';

let hub: TestHub;

const V1 = '/api/v1/namespaces/default';
const MAPS = `${V1}/configmaps`;
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const map = (name: string, more: object = {}): object => ({ metadata: { name }, ...more });
const pod = (spec: object): object => ({ metadata: { name: 'p' }, spec });
const container = { name: 'c', image: 'busybox' };

type Case = readonly [
  name: string,
  request: readonly [method: string, path: string, options?: AskOptions],
  code: number,
  reason: string,
  message: string,
];

const yaml = { 'content-type': 'application/yaml' };
const merge = { 'content-type': 'application/merge-patch+json' };
const json = { 'content-type': 'application/json-patch+json' };
const strategic = { 'content-type': 'application/strategic-merge-patch+json' };

const CASES: readonly Case[] = [
  ['absent, core', ['GET', `${V1}/pods/x`], 404, 'NotFound', 'pods "x" not found'],
  ['absent, of a group', ['GET', `${DEPLOYMENTS}/x`], 404, 'NotFound', 'deployments.apps "x" not found'],
  [
    'absent type',
    ['GET', `${V1}/widgets`],
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  ['absent path', ['GET', '/nothing'], 404, 'NotFound', 'the server could not find the requested resource'],
  [
    'absent group',
    ['GET', '/apis/none.dev/v1'],
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'namespaced object without namespace',
    ['GET', '/api/v1/pods/x'],
    404,
    'NotFound',
    'the server could not find',
  ],
  [
    'absent namespace',
    ['POST', '/api/v1/namespaces/none/configmaps', { body: map('a') }],
    404,
    'NotFound',
    'namespaces "none" not found',
  ],
  ['exists', ['POST', MAPS, { body: map('kept') }], 409, 'AlreadyExists', 'configmaps "kept" already exists'],
  [
    'stale version',
    ['PUT', `${MAPS}/kept`, { body: { metadata: { name: 'kept', resourceVersion: '1' } } }],
    409,
    'Conflict',
    'Operation cannot be fulfilled on configmaps "kept": the object has been modified; please apply your changes to the latest version and try again',
  ],
  [
    'stale version in a patch',
    ['PATCH', `${MAPS}/kept`, { headers: merge, body: { metadata: { resourceVersion: '1' } } }],
    409,
    'Conflict',
    'Operation cannot be fulfilled on configmaps "kept"',
  ],
  [
    'no name',
    ['POST', MAPS, { body: {} }],
    422,
    'Invalid',
    'metadata.name: Required value: name or generateName is required',
  ],
  [
    'bad name',
    ['POST', MAPS, { body: map('A_B') }],
    422,
    'Invalid',
    'ConfigMap "A_B" is invalid: metadata.name: Invalid value: "A_B"',
  ],
  [
    'no containers',
    ['POST', `${V1}/pods`, { body: pod({ containers: [] }) }],
    422,
    'Invalid',
    'spec.containers: Required value',
  ],
  [
    'several faults',
    ['POST', `${V1}/pods`, { body: pod({ containers: [{ image: 'b' }], restartPolicy: 'Sometimes' }) }],
    422,
    'Invalid',
    'Pod "p" is invalid: [',
  ],
  [
    'unknown field, strict',
    [
      'POST',
      `${DEPLOYMENTS}?fieldValidation=Strict`,
      { body: { metadata: { name: 'd' }, spec: { replicaz: 1 } } },
    ],
    400,
    'BadRequest',
    'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replicaz"',
  ],
  [
    'duplicate field, strict',
    [
      'POST',
      `${MAPS}?fieldValidation=Strict`,
      { body: '{"metadata":{"name":"d"},"data":{"a":"1","a":"2"}}' },
    ],
    400,
    'BadRequest',
    'duplicate field "data.a"',
  ],
  [
    'wrong type',
    ['POST', DEPLOYMENTS, { body: { metadata: { name: 'd' }, spec: { replicas: 'two' } } }],
    400,
    'BadRequest',
    'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  ],
  [
    'bad quantity',
    [
      'POST',
      `${V1}/pods`,
      { body: pod({ containers: [{ ...container, resources: { limits: { cpu: 'lots' } } }] }) },
    ],
    400,
    'BadRequest',
    'quantities must match the regular expression',
  ],
  [
    'other kind',
    ['POST', MAPS, { body: { kind: 'Secret', metadata: { name: 'a' } } }],
    400,
    'BadRequest',
    'Secret in version "v1" cannot be handled as a ConfigMap',
  ],
  [
    'other version',
    ['POST', MAPS, { body: { apiVersion: 'v2', metadata: { name: 'a' } } }],
    400,
    'BadRequest',
    'does not match the expected API version (v1)',
  ],
  [
    'other namespace',
    ['POST', MAPS, { body: { metadata: { name: 'a', namespace: 'b' } } }],
    400,
    'BadRequest',
    'the namespace of the provided object does not match the namespace sent on the request',
  ],
  [
    'other name',
    ['PUT', `${MAPS}/kept`, { body: map('other') }],
    400,
    'BadRequest',
    'the name of the object (other) does not match the name on the URL (kept)',
  ],
  ['broken JSON', ['POST', MAPS, { body: '{' }], 400, 'BadRequest', 'not valid JSON'],
  ['broken YAML', ['POST', MAPS, { body: 'a: [', headers: yaml }], 400, 'BadRequest', 'not valid YAML'],
  ['a list for an object', ['POST', MAPS, { body: [] }], 400, 'BadRequest', 'not an object'],
  ['empty body', ['POST', MAPS], 400, 'BadRequest', 'the request body is empty'],
  [
    'deep nesting',
    ['POST', MAPS, { body: `{"data":${'['.repeat(5000)}${']'.repeat(5000)}}` }],
    400,
    'BadRequest',
    'exceeded max depth',
  ],
  [
    'unknown media type',
    ['POST', MAPS, { body: 'x', headers: { 'content-type': 'text/csv' } }],
    415,
    'UnsupportedMediaType',
    'the body of the request was in an unknown format',
  ],
  [
    'server-side apply',
    ['PATCH', `${MAPS}/kept`, { body: {}, headers: { 'content-type': 'application/apply-patch+yaml' } }],
    415,
    'UnsupportedMediaType',
    'accepted media types include: application/json-patch+json',
  ],
  [
    'unacceptable answer',
    ['GET', MAPS, { headers: { accept: 'text/html' } }],
    406,
    'NotAcceptable',
    'only the following media types are accepted',
  ],
  [
    'garbage as protobuf',
    ['POST', MAPS, { body: 'garbage', headers: { 'content-type': 'application/vnd.kubernetes.protobuf' } }],
    400,
    'BadRequest',
    'protobuf',
  ],
  [
    'method',
    ['PUT', MAPS, { body: {} }],
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  ],
  [
    'create without namespace',
    ['POST', '/api/v1/configmaps', { body: map('a') }],
    405,
    'MethodNotAllowed',
    'the server does not allow',
  ],
  [
    'delete all namespaces',
    ['DELETE', '/api/v1/namespaces'],
    405,
    'MethodNotAllowed',
    'the server does not allow',
  ],
  [
    'failed test of a JSON patch',
    ['PATCH', `${MAPS}/kept`, { headers: json, body: [{ op: 'test', path: '/data', value: 1 }] }],
    422,
    'Invalid',
    'the server rejected our request due to an error in our request',
  ],
  [
    'malformed JSON patch',
    ['PATCH', `${MAPS}/kept`, { headers: json, body: [{ op: 'explode' }] }],
    400,
    'BadRequest',
    'unknown op',
  ],
  [
    'patch of an absent object',
    ['PATCH', `${MAPS}/none`, { headers: merge, body: {} }],
    404,
    'NotFound',
    'configmaps "none" not found',
  ],
  [
    'patch to a wrong type',
    ['PATCH', `${MAPS}/kept`, { headers: merge, body: { data: 7 } }],
    422,
    'Invalid',
    'cannot unmarshal number',
  ],
  [
    'patch of the name',
    ['PATCH', `${MAPS}/kept`, { headers: merge, body: { metadata: { name: 'b' } } }],
    400,
    'BadRequest',
    'does not match the name on the URL (kept)',
  ],
  [
    'patch of the uid',
    ['PATCH', `${MAPS}/kept`, { headers: merge, body: { metadata: { uid: 'b' } } }],
    409,
    'Conflict',
    'UID in precondition',
  ],
  [
    'odd strategic directive',
    ['PATCH', `${MAPS}/kept`, { headers: strategic, body: { $patch: 'explode' } }],
    400,
    'BadRequest',
    '',
  ],
  [
    'label selector',
    ['GET', `${MAPS}?labelSelector=a%3D%3D%3Db`],
    400,
    'BadRequest',
    'unable to parse requirement',
  ],
  [
    'field selector',
    ['GET', `${V1}/pods?fieldSelector=spec.color%3Dred`],
    400,
    'BadRequest',
    'field label not supported: spec.color',
  ],
  [
    'field selector of a plain kind',
    ['GET', `${MAPS}?fieldSelector=spec.color%3Dred`],
    400,
    'BadRequest',
    '"spec.color" is not a known field selector: only "metadata.name", "metadata.namespace"',
  ],
  ['limit', ['GET', `${MAPS}?limit=x`], 400, 'BadRequest', 'limit'],
  ['continue token', ['GET', `${MAPS}?continue=zzz`], 400, 'BadRequest', 'continue key is not valid'],
  ['resource version', ['GET', `${MAPS}?resourceVersion=x`], 400, 'BadRequest', 'resource version'],
  [
    'version of the future',
    ['GET', `${MAPS}?resourceVersion=99999999999`],
    504,
    'Timeout',
    'Too large resource version',
  ],
  [
    'match without version',
    ['GET', `${MAPS}?resourceVersionMatch=Exact`],
    422,
    'Invalid',
    'resourceVersionMatch is forbidden unless resourceVersion is provided',
  ],
  [
    'watch list without match',
    ['GET', `${MAPS}?watch=1&sendInitialEvents=true`],
    422,
    'Invalid',
    'resourceVersionMatch',
  ],
  [
    'dry run',
    ['POST', `${MAPS}?dryRun=Some`, { body: map('a') }],
    422,
    'Invalid',
    'dryRun: Unsupported value: "Some": supported values: "All"',
  ],
  [
    'field validation',
    ['POST', `${MAPS}?fieldValidation=Loose`, { body: map('a') }],
    422,
    'Invalid',
    'fieldValidation: Unsupported value: "Loose"',
  ],
  [
    'field manager',
    ['POST', `${MAPS}?fieldManager=${'m'.repeat(129)}`, { body: map('a') }],
    422,
    'Invalid',
    'may not be more than 128 bytes',
  ],
  [
    'negative scale',
    ['PATCH', `${DEPLOYMENTS}/web/scale`, { headers: merge, body: { spec: { replicas: -1 } } }],
    422,
    'Invalid',
    'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ],
  [
    'delete of another incarnation',
    ['DELETE', `${MAPS}/kept`, { body: { preconditions: { uid: 'x' } } }],
    409,
    'Conflict',
    'UID in the precondition',
  ],
  [
    'binding without node',
    ['POST', `${V1}/pods/loose/binding`, { body: { target: {} } }],
    400,
    'BadRequest',
    'target.name',
  ],
  [
    'eviction of nothing',
    ['POST', `${V1}/pods/none/eviction`, { body: {} }],
    404,
    'NotFound',
    'pods "none" not found',
  ],
  [
    'metrics of a silent node',
    ['GET', '/apis/metrics.k8s.io/v1beta1/nodes/worker-1'],
    404,
    'NotFound',
    'nodes.metrics.k8s.io "worker-1" not found',
  ],
  [
    'a body of more than 3 MiB',
    ['POST', MAPS, { body: `{"data":"${'x'.repeat(3_200_000)}"}` }],
    413,
    'RequestEntityTooLarge',
    'Request entity too large',
  ],
  ['no credentials', ['GET', MAPS, { token: null }], 401, 'Unauthorized', 'Unauthorized'],
  ['a wrong token', ['GET', MAPS, { token: 'guess' }], 401, 'Unauthorized', 'Unauthorized'],
  [
    'no rights on a resource',
    ['POST', `${V1}/pods`, { token: GUEST_TOKEN, body: {} }],
    403,
    'Forbidden',
    'pods is forbidden: User "guest" cannot create resource "pods" in API group "" in the namespace "default"',
  ],
  [
    'no rights cluster-wide',
    ['GET', '/apis/apps/v1/deployments', { token: GUEST_TOKEN }],
    403,
    'Forbidden',
    'deployments.apps is forbidden: User "guest" cannot list resource "deployments" in API group "apps" at the cluster scope',
  ],
  [
    'no rights on a path',
    ['GET', '/metrics', { token: GUEST_TOKEN }],
    403,
    'Forbidden',
    'forbidden: User "guest" cannot get path "/metrics"',
  ],
  [
    'no right to act as another',
    ['GET', MAPS, { token: GUEST_TOKEN, headers: { 'impersonate-user': 'bob' } }],
    403,
    'Forbidden',
    'cannot impersonate resource "users"',
  ],
  [
    'acting as one who may not',
    ['GET', MAPS, { headers: { 'impersonate-user': 'bob' } }],
    403,
    'Forbidden',
    'User "bob" cannot list resource "configmaps"',
  ],
];

spec(
  'API refusals',
  (it) => {
    for (const [name, [method, path, options], code, reason, message] of CASES)
      it(name, async () => {
        const reply = await hub.ask(method, path, options);
        const status = reply.json as Status;
        assert.is(reply.status, code, reply.text);
        assert.is(status.kind, 'Status');
        assert.is(status.apiVersion, 'v1');
        assert.is(status.status, 'Failure');
        assert.is(status.code, code);
        assert.is(status.reason, reason);
        assert.ok(status.message?.includes(message), status.message);
      });

    it('names what it refuses in the details', async () => {
      const absent = (await hub.ask('GET', `${DEPLOYMENTS}/x`)).json as Status;
      assert.equal(absent.details, { name: 'x', group: 'apps', kind: 'deployments' });
      const invalid = (await hub.ask('POST', `${V1}/pods`, { body: pod({ containers: [] }) })).json as Status;
      assert.is(invalid.details?.kind, 'Pod');
      assert.equal(invalid.details?.causes?.[0], {
        reason: 'FieldValueRequired',
        message: 'Required value',
        field: 'spec.containers',
      });
      const future = (await hub.ask('GET', `${MAPS}?resourceVersion=99999999999`)).json as Status;
      assert.is(future.details?.causes?.[0]?.reason, 'ResourceVersionTooLarge');
    });

    it('warns of unknown fields, and drops them', async () => {
      const path = `${MAPS}?fieldValidation=Warn&dryRun=All`;
      const reply = await hub.ask('POST', path, {
        body: { metadata: { name: 'w' }, oops: 1, data: { a: 'b' } },
      });
      assert.is(reply.status, 201);
      assert.is(reply.headers['warning'], '299 - "unknown field \\"oops\\""');
      assert.not.match(reply.text, '"oops"');
      const silent = await hub.ask('POST', `${MAPS}?fieldValidation=Ignore&dryRun=All`, {
        body: { metadata: { name: 'w' }, oops: 1 },
      });
      assert.is(silent.headers['warning'], undefined);
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    before: async () => {
      hub = await startHub();
      await hub.put({
        kind: 'ConfigMap',
        metadata: { name: 'kept', namespace: 'default' },
        data: { a: 'b' },
      });
      await hub.put(readyNode('worker-1'));
      await hub.put({
        kind: 'Pod',
        metadata: { name: 'loose', namespace: 'default' },
        spec: { containers: [container] },
      });
      const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } };
      await hub.put({
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default' },
        spec: { selector: { matchLabels: { app: 'web' } }, template },
      });
    },
    after: () => hub.stop(),
  },
);
