/** OpenAPI v2 for clients from before version 3; with COX_OLD_KUBECTL naming a kubectl before 1.27, that one reads it too. */

import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { ADMIN_TOKEN, startHub, type TestHub } from './hub.ts';

const OLD_KUBECTL = process.env['COX_OLD_KUBECTL'];
const PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

let hub: TestHub;

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'sensors.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'sensors', singular: 'sensor', kind: 'Sensor', listKind: 'SensorList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  unit: { type: 'string', description: 'What it measures in.' },
                  limit: {
                    anyOf: [{ type: 'integer' }, { type: 'string' }],
                    'x-kubernetes-int-or-string': true,
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};

/** The body as it goes over the wire. */
function compressed(): Promise<{ encoding: string; bytes: Buffer }> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'accept-encoding': 'gzip', accept: PROTOBUF };
  const options = { host: '127.0.0.1', port: hub.port, path: '/openapi/v2', ca: hub.caPem, headers };
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.on('end', () =>
        resolve({
          encoding: String(response.headers['content-encoding']),
          bytes: Buffer.concat(chunks),
        }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

spec(
  'OpenAPI v2',
  (it) => {
    it('comes as JSON, or as protobuf for those who ask', async () => {
      const json = await hub.ask('GET', '/openapi/v2');
      assert.equal([json.status, json.headers['content-type']], [200, 'application/json']);
      assert.is((json.json as { swagger: string }).swagger, '2.0');
      const protobuf = await hub.ask('GET', '/openapi/v2?timeout=32s', { headers: { accept: PROTOBUF } });
      assert.is(
        protobuf.headers['content-type'],
        'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
      );
      assert.ok(protobuf.text.startsWith('\n\x032.0'));
      const none = await hub.ask('GET', '/openapi/v2', { headers: { accept: 'text/html' } });
      assert.is(none.status, 406);
    });

    it('is sent once to those who keep it', async () => {
      const first = await hub.ask('GET', '/openapi/v2');
      const headers = { 'if-none-match': first.headers.etag ?? '' };
      const again = await hub.ask('GET', '/openapi/v2', { headers });
      assert.equal([again.status, again.text], [304, '']);
      const other = await hub.ask('GET', '/openapi/v2', { headers: { ...headers, accept: PROTOBUF } });
      assert.is(other.status, 200, 'the other form is another text');
    });

    it('is compressed for those who read that', async () => {
      const { encoding, bytes } = await compressed();
      const plain = gunzipSync(bytes);
      assert.is(encoding, 'gzip');
      assert.ok(bytes.length * 4 < plain.length, `${bytes.length} of ${plain.length}`);
    });

    it('tells of custom resources', async () => {
      const before = (await hub.ask('GET', '/openapi/v2')).headers.etag;
      await hub.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { body: CRD });
      let told = await hub.ask('GET', '/openapi/v2');
      for (const endMs = Date.now() + 10_000; told.headers.etag === before && Date.now() < endMs; )
        told = await hub.ask('GET', '/openapi/v2');
      assert.ok(told.text.includes('"com.example.v1.Sensor":'));
    });

    if (OLD_KUBECTL !== undefined) {
      const old = (...args: string[]): ReturnType<TestHub['run']> => hub.run(OLD_KUBECTL, ...args);

      it('lets an old kubectl explain', async () => {
        const said = await old('explain', 'deployment.spec.template.spec.containers.image');
        assert.is(said.code, 0, said.err);
        assert.match(said.out, /FIELD: +image <string>\s+DESCRIPTION:/);
        const custom = await old('explain', 'sensors.spec');
        assert.match(custom.out, /unit\t<string>\s+What it measures in/, custom.err);
      });

      it('lets an old kubectl find mistakes before it sends anything', async () => {
        const file = join(hub.dir, 'wrong.yaml');
        writeFileSync(file, 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndatta: {}\n');
        const said = await old('create', '-f', file);
        assert.is(said.code, 1);
        assert.match(said.err, 'unknown field "datta" in io.k8s.api.core.v1.ConfigMap');
      });

      it('lets an old kubectl apply, as a trial too', async () => {
        const file = join(hub.dir, 'right.yaml');
        const pod =
          'spec: {containers: [{name: c, image: i, resources: {limits: {memory: 1000000, cpu: 1}}}]}';
        const sensor = 'apiVersion: example.com/v1\nkind: Sensor\nmetadata: {name: s}\nspec: {limit: 3}\n';
        writeFileSync(file, `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n${pod}\n---\n${sensor}`);
        const trial = await old('apply', '--dry-run=server', '-f', file);
        assert.match(trial.out, 'pod/p created (server dry run)', trial.err);
        assert.is((await old('apply', '-f', file)).code, 0);
        assert.match((await old('apply', '-f', file)).out, 'sensor.example.com/s unchanged');
      });
    }

    it('logs no complaint in all of this', () => assert.equal(hub.complaints, []));
  },
  {
    caseTimeoutMs: 40_000,
    before: async () => {
      hub = await startHub();
    },
    after: () => hub.stop(),
  },
);
