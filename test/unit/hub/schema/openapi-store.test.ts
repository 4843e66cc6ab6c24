import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { OpenApiStore } from '../../../../hub/schema/openapi-store.ts';
import { kinds } from '../../../../protocol/kinds/index.ts';
import { buildSchema } from '../../../../scripts/build-schema.ts';
import { spec } from '../../../spec.ts';

const directory = mkdtempSync(join(tmpdir(), 'openapi-'));

interface Schema {
  description?: string;
  type?: string;
  required?: string[];
  properties?: Record<string, Record<string, unknown>>;
  [extension: string]: unknown;
}
interface Document {
  paths: Record<string, Record<string, { parameters?: { name: string }[]; [extension: string]: unknown }>>;
  components: { schemas: Record<string, Schema> };
}

function documentOf(store: OpenApiStore, apiVersion: string): Document {
  return JSON.parse(store.file(apiVersion)?.json ?? '{}') as Document;
}

spec(
  'OpenApiStore',
  (it) => {
    it('lists the API versions of the kinds', () => {
      const known = new OpenApiStore(kinds, directory).groupVersions();
      for (const apiVersion of ['v1', 'apps/v1', 'coordination.k8s.io/v1'])
        assert.ok(known.includes(apiVersion), apiVersion);
      assert.is(new OpenApiStore(kinds, directory).file('batch/v2'), undefined);
    });

    it('offers what kubectl looks for before it sends anything', () => {
      const { paths } = documentOf(new OpenApiStore(kinds, directory), 'apps/v1');
      const patch = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.['patch'];
      assert.equal(patch?.['x-kubernetes-group-version-kind'], {
        group: 'apps',
        version: 'v1',
        kind: 'Deployment',
      });
      const names = (patch?.parameters ?? []).map((p) => p.name);
      for (const name of ['fieldValidation', 'dryRun', 'fieldManager', 'force'])
        assert.ok(names.includes(name), name);
    });

    it('describes fields, with merge keys and list types', () => {
      const { schemas } = documentOf(new OpenApiStore(kinds, directory), 'apps/v1').components;
      const podSpec = schemas['io.k8s.api.core.v1.PodSpec'];
      assert.equal(podSpec?.required, ['containers']);
      const containers = podSpec?.properties?.['containers'];
      assert.is(containers?.['x-kubernetes-patch-merge-key'], 'name');
      assert.equal(containers?.['x-kubernetes-list-map-keys'], ['name']);
      assert.match(String(containers?.['description']), /^List of containers belonging to the pod/);
      const deployment = schemas['io.k8s.api.apps.v1.Deployment'];
      assert.equal(deployment?.['x-kubernetes-group-version-kind'], [
        { group: 'apps', version: 'v1', kind: 'Deployment' },
      ]);
      assert.is(
        schemas['io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector']?.['x-kubernetes-map-type'],
        'atomic',
      );
    });

    it('refers only to schemas that are there', () => {
      const store = new OpenApiStore(kinds, directory);
      for (const apiVersion of store.groupVersions()) {
        const { schemas } = documentOf(store, apiVersion).components;
        const refs = store.file(apiVersion)?.json.matchAll(/"#\/components\/schemas\/([^"]+)"/g) ?? [];
        for (const [, name = ''] of refs) assert.ok(Object.hasOwn(schemas, name), name);
      }
    });

    it('keeps a hash over a drop, and changes it with the text', () => {
      const store = new OpenApiStore(kinds, directory);
      const before = store.hash('v1');
      store.drop();
      assert.is(store.hash('v1'), before);
      assert.is(store.file('v1')?.hash, before);
      assert.is.not(new OpenApiStore(kinds, join(directory, 'absent')).hash('v1'), before);
    });

    it('works without descriptions', () => {
      const { paths } = documentOf(new OpenApiStore(kinds, join(directory, 'absent')), 'v1');
      assert.ok(paths['/api/v1/namespaces/{namespace}/pods/{name}']?.['patch']);
    });
  },
  {
    before: () => void buildSchema(directory),
    after: () => rmSync(directory, { recursive: true, force: true }),
  },
);
