/** The real kubectl and who owns what: scaling what was applied, and the lists of custom resources. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { KubeObject, ManagedFieldsEntry } from '../../protocol/kinds/meta.ts';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';

let hub: TestHub;
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const RACKS = '/apis/example.com/v1/namespaces/default/racks';
const APPLY = { 'content-type': 'application/apply-patch+yaml' };

const deployment = (replicas: number): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'busybox' }] },
    },
  },
});

const RACK_SPEC = {
  type: 'object',
  properties: {
    count: { type: 'integer' },
    slots: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, card: { type: 'string' } },
      },
    },
    tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    order: { type: 'array', items: { type: 'string' } },
  },
};
const DEFINITION = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'racks.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'racks', kind: 'Rack' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: RACK_SPEC,
              status: { type: 'object', properties: { count: { type: 'integer' } } },
            },
          },
        },
        subresources: {
          status: {},
          scale: { specReplicasPath: '.spec.count', statusReplicasPath: '.status.count' },
        },
      },
    ],
  },
};
const rack = (content: object): object => ({
  apiVersion: 'example.com/v1',
  kind: 'Rack',
  metadata: { name: 'r' },
  spec: content,
});

function manifest(object: object): string {
  const file = join(hub.dir, 'manifest.json');
  writeFileSync(file, JSON.stringify(object));
  return file;
}

const applyAs = (manager: string, object: object, ...args: string[]): ReturnType<TestHub['kubectl']> =>
  hub.kubectl('apply', '--server-side', `--field-manager=${manager}`, '-f', manifest(object), ...args);

async function read(path: string): Promise<KubeObject & { spec: Record<string, unknown> }> {
  return (await hub.ask('GET', path)).json as KubeObject & { spec: Record<string, unknown> };
}

/** The entries without their times. */
const entries = ({ metadata }: KubeObject): Omit<ManagedFieldsEntry, 'time'>[] =>
  (metadata.managedFields ?? []).map(({ time: _time, ...entry }) => entry);

spec(
  'who owns what',
  (it) => {
    it('gives the number of replicas to who scales', async () => {
      assert.is((await applyAs('kubectl', deployment(2))).code, 0);
      const before = await read(`${DEPLOYMENTS}/web`);
      assert.is((await hub.kubectl('scale', 'deploy/web', '--replicas=2')).code, 0);
      assert.equal(await read(`${DEPLOYMENTS}/web`), before, 'the same number changes nothing');
      assert.is((await hub.kubectl('scale', 'deploy/web', '--replicas=5')).code, 0);
      const after = await read(`${DEPLOYMENTS}/web`);
      assert.is(after.spec['replicas'], 5);
      const scaled = entries(after).find((entry) => entry.subresource === 'scale');
      assert.equal(scaled, {
        manager: 'kubectl',
        operation: 'Update',
        apiVersion: 'apps/v1',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:replicas': {} } },
        subresource: 'scale',
      });
      const applied = entries(after).find((entry) => entry.operation === 'Apply');
      assert.not.match(JSON.stringify(applied), 'f:replicas');
    });

    it('names the scale in a conflict, and lets the applier give the number up', async () => {
      const refused = await applyAs('kubectl', deployment(2));
      assert.is(refused.code, 1);
      assert.match(
        refused.err,
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
      );
      const { spec: own, ...rest } = deployment(2) as { spec: { replicas?: number } };
      delete own.replicas;
      assert.is((await applyAs('kubectl', { ...rest, spec: own })).code, 0);
      assert.is((await read(`${DEPLOYMENTS}/web`)).spec['replicas'], 5);
    });

    it('scales a custom resource where its definition keeps the number', async () => {
      assert.is((await hub.kubectl('apply', '-f', manifest(DEFINITION))).code, 0);
      await hub.kubectl('wait', '--for=condition=Established', 'crd/racks.example.com', '--timeout=10s');
      assert.is((await applyAs('one', rack({ count: 1 }))).code, 0);
      assert.is((await hub.kubectl('scale', 'rack/r', '--replicas=3')).code, 0);
      assert.is((await read(`${RACKS}/r`)).spec['count'], 3);
      const body = {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: 'r' },
        spec: { replicas: 4 },
      };
      const applied = await hub.ask('PATCH', `${RACKS}/r/scale?fieldManager=two&force=true`, {
        headers: APPLY,
        body,
      });
      assert.is(applied.status, 200, applied.text);
      const object = await read(`${RACKS}/r`);
      assert.is(object.spec['count'], 4);
      assert.equal(
        entries(object).map(
          (e) => `${e.manager} ${e.operation} ${e.subresource ?? ''} ${JSON.stringify(e.fieldsV1)}`,
        ),
        ['two Apply scale {"f:spec":{"f:count":{}}}'],
      );
    });

    it('merges lists of custom resources by their types', async () => {
      const one = { slots: [{ name: 'a', card: 'x' }], tags: ['p'], order: ['1'] };
      const two = { slots: [{ name: 'b', card: 'y' }], tags: ['q'] };
      assert.is((await applyAs('one', rack(one))).code, 0);
      assert.is((await applyAs('two', rack(two))).code, 0);
      const { spec: merged } = await read(`${RACKS}/r`);
      assert.equal(merged, {
        count: 4,
        order: ['1'],
        slots: [
          { name: 'a', card: 'x' },
          { name: 'b', card: 'y' },
        ],
        tags: ['p', 'q'],
      });
      const slot = await applyAs('two', rack({ slots: [{ name: 'a', card: 'z' }] }));
      assert.match(slot.err, 'conflict with "one": .spec.slots[name="a"].card');
      const order = await applyAs('two', rack({ order: ['2'] }));
      assert.match(order.err, 'conflict with "one": .spec.order');
    });

    it('refuses fields that no schema has', async () => {
      const { code, err } = await applyAs('two', rack({ cuont: 1 }), '--validate=false');
      assert.is(code, 1);
      assert.match(err, '.spec.cuont: field not declared in schema');
    });

    it('takes no protobuf, which custom resources do not have', async () => {
      const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };
      const refused = await hub.ask('POST', RACKS, { headers, body: 'k8s\0' });
      assert.is(refused.status, 415);
      assert.match(refused.text, 'accepted media types include: application/json, application/yaml');
      const options = Buffer.from('k8s\0');
      const removed = await hub.ask('DELETE', `${RACKS}/r`, { headers, body: options });
      assert.not.equal(removed.status, 415, 'the options of a deletion are no custom resource');
    });

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
