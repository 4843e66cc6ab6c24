/** Server-side apply with the real kubectl: owners, conflicts in Kubernetes' words, migration, subresources. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import type { KubeObject, ManagedFieldsEntry } from '../../protocol/kinds/meta.ts';
import type { Status } from '../../protocol/status.ts';
import { spec } from '../spec.ts';
import { type AskOptions, type Reply, startHub, type TestHub } from './hub.ts';

let hub: TestHub;
const MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const WORKLOADS = fileURLToPath(new URL('../../profiles/workloads/', import.meta.url));
const APPLY = { 'content-type': 'application/apply-patch+yaml' };

const map = (name: string, data: object): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});
const applyAs = (manager: string, path: string, body: unknown, query = ''): Promise<Reply> =>
  hub.ask('PATCH', `${path}?fieldManager=${manager}${query}`, { headers: APPLY, body });
const objectOf = (reply: Reply): KubeObject & Record<string, unknown> => {
  assert.ok(reply.status < 300, reply.text);
  return reply.json as KubeObject & Record<string, unknown>;
};
const get = async (path: string): Promise<KubeObject & Record<string, unknown>> =>
  objectOf(await hub.ask('GET', path));
const entriesOf = (o: KubeObject): ManagedFieldsEntry[] => o.metadata.managedFields ?? [];
const named = (o: KubeObject): string[] =>
  entriesOf(o).map((m) => [m.manager, m.operation, m.subresource].filter((t) => t !== undefined).join(' '));
const fieldsOf = (o: KubeObject, manager: string): unknown =>
  entriesOf(o).find((m) => m.manager === manager)?.fieldsV1;

/** Writes a manifest and gives its path. */
function manifest(name: string, object: object): string {
  const path = join(hub.dir, `${name}.json`);
  writeFileSync(path, JSON.stringify(object));
  return path;
}

const web = (replicas: number | undefined, image = 'busybox:1'): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    ...(replicas === undefined ? {} : { replicas }),
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image, ports: [{ containerPort: 80 }] }] },
    },
  },
});

async function kubectl(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, err);
  return out;
}

spec(
  'server-side apply',
  (it) => {
    it('creates, changes, and says so', async () => {
      const created = await applyAs('one', `${MAPS}/a`, map('a', { x: '1', y: '2' }));
      assert.is(created.status, 201);
      const changed = await applyAs('one', `${MAPS}/a`, map('a', { x: '2' }));
      assert.is(changed.status, 200);
      const object = objectOf(changed);
      assert.equal(object['data'], { x: '2' });
      const [entry] = entriesOf(object);
      assert.equal(named(object), ['one Apply']);
      assert.equal(entry?.fieldsV1, { 'f:data': { 'f:x': {} } });
      assert.match(entry?.time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.is(entry?.apiVersion, 'v1');
    });

    it('reads YAML', async () => {
      const body = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {a: "1"}\n';
      assert.equal(objectOf(await applyAs('one', `${MAPS}/y`, body))['data'], { a: '1' });
    });

    it('keeps the version when nothing changes', async () => {
      const before = objectOf(await applyAs('one', `${MAPS}/same`, map('same', { a: '1' })));
      const after = objectOf(await applyAs('one', `${MAPS}/same`, map('same', { a: '1' })));
      assert.equal(after, before);
    });

    it('stores nothing in a dry run', async () => {
      const reply = await applyAs('one', `${MAPS}/dry`, map('dry', { a: '1' }), '&dryRun=All');
      assert.is(reply.status, 201);
      assert.equal(named(objectOf(reply)), ['one Apply']);
      assert.is((await hub.ask('GET', `${MAPS}/dry`)).status, 404);
    });

    it('refuses with a conflict that names who and what', async () => {
      await applyAs('one', `${MAPS}/c`, map('c', { a: '1', b: '2' }));
      const reply = await applyAs('two', `${MAPS}/c`, map('c', { a: 'x', b: 'y' }));
      const status = reply.json as Status;
      assert.is(reply.status, 409);
      assert.is(status.reason, 'Conflict');
      assert.is(status.message, 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b');
      assert.equal(status.details, {
        causes: [
          { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.a' },
          { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.b' },
        ],
      });
      const forced = objectOf(await applyAs('two', `${MAPS}/c`, map('c', { a: 'x' }), '&force=true'));
      assert.equal(fieldsOf(forced, 'one'), { 'f:data': { 'f:b': {} } });
    });

    const refusals: [string, string, AskOptions, number, string][] = [
      [
        'without a manager',
        'c',
        { body: map('c', {}) },
        422,
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      ],
      [
        'of another version',
        'c?fieldManager=m',
        { body: { ...map('c', {}), apiVersion: 'v2' } },
        400,
        'Incorrect version specified in apply patch. Specified patch version: v2, expected: v1',
      ],
      ['without a kind', 'c?fieldManager=m', { body: { apiVersion: 'v1' } }, 400, "Object 'Kind' is missing"],
      [
        'of another name',
        'c?fieldManager=m',
        { body: map('d', {}) },
        400,
        'the name of the object (d) does not match the name on the URL (c)',
      ],
      [
        'with managed fields',
        'c?fieldManager=m',
        { body: { ...map('c', {}), metadata: { name: 'c', managedFields: [] } } },
        400,
        'metadata.managedFields must be nil',
      ],
      [
        'with an unknown field',
        'c?fieldManager=m',
        { body: { ...map('c', {}), colour: 'red' } },
        400,
        'failed to create typed patch object (default/c; /v1, Kind=ConfigMap): .colour: field not declared in schema',
      ],
      [
        'with a stale version',
        'c?fieldManager=m',
        { body: { ...map('c', {}), metadata: { name: 'c', resourceVersion: '1' } } },
        409,
        'the object has been modified',
      ],
      ['with broken YAML', 'c?fieldManager=m', { body: 'a: [' }, 400, 'not valid YAML'],
    ];
    for (const [name, path, options, code, message] of refusals)
      it(`refuses one ${name}`, async () => {
        const reply = await hub.ask('PATCH', `${MAPS}/${path}`, { ...options, headers: APPLY });
        assert.is(reply.status, code, reply.text);
        assert.ok((reply.json as Status).message?.includes(message), reply.text);
      });

    it('refuses force with other patches', async () => {
      const headers = { 'content-type': 'application/merge-patch+json' };
      const reply = await hub.ask('PATCH', `${MAPS}/c?force=true`, { headers, body: {} });
      assert.is(reply.status, 422);
      assert.match(
        (reply.json as Status).message ?? '',
        'force: Forbidden: may not be specified for non-apply patch',
      );
    });

    it('needs the object for a status, and owns nothing else there', async () => {
      const body = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'st' },
        status: { replicas: 1 },
      };
      assert.is((await applyAs('s', `${DEPLOYMENTS}/st/status`, body)).status, 404);
      await hub.ask('POST', DEPLOYMENTS, { body: { ...web(1), metadata: { name: 'st' } } });
      const object = objectOf(await applyAs('s', `${DEPLOYMENTS}/st/status`, body));
      assert.equal(fieldsOf(object, 's'), { 'f:status': { 'f:replicas': {} } });
      assert.ok(named(object).includes('s Apply status'));
      assert.is((object['status'] as { replicas: number }).replicas, 1);
    });

    it('names updaters by field manager or program, and by subresource', async () => {
      await hub.ask('POST', DEPLOYMENTS, {
        body: { ...web(1), metadata: { name: 'who' } },
        headers: { 'user-agent': 'my-tool/v1.2 (linux)' },
      });
      const merge = { 'content-type': 'application/merge-patch+json' };
      await hub.ask('PATCH', `${DEPLOYMENTS}/who/scale?fieldManager=scaler`, {
        headers: merge,
        body: { spec: { replicas: 3 } },
      });
      const object = await get(`${DEPLOYMENTS}/who`);
      assert.equal(named(object).toSorted(), ['my-tool Update', 'scaler Update scale']);
      assert.equal(fieldsOf(object, 'scaler'), { 'f:spec': { 'f:replicas': {} } });
      assert.not.ok(JSON.stringify(fieldsOf(object, 'my-tool')).includes('f:replicas'));
      const refused = (await applyAs('a', `${DEPLOYMENTS}/who`, { ...web(1), metadata: { name: 'who' } }))
        .json;
      assert.is(
        (refused as Status).message,
        'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
      );
    });

    it('applies a scale', async () => {
      const body = (replicas: unknown): object => ({
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: 'who' },
        spec: { replicas },
      });
      const refused = await applyAs('s2', `${DEPLOYMENTS}/who/scale`, body(5));
      assert.is(refused.status, 409);
      const scaled = objectOf(await applyAs('s2', `${DEPLOYMENTS}/who/scale`, body(5), '&force=true'));
      assert.is(scaled.kind, 'Scale');
      const object = await get(`${DEPLOYMENTS}/who`);
      assert.is((object['spec'] as { replicas: number }).replicas, 5);
      assert.ok(named(object).includes('s2 Apply scale'));
      const wrong = await applyAs('s2', `${DEPLOYMENTS}/who/scale`, body('x'));
      assert.is(wrong.status, 400);
    });

    it('lets a client replace and strip the managers', async () => {
      await applyAs('one', `${MAPS}/strip`, map('strip', { a: '1' }));
      const headers = { 'content-type': 'application/merge-patch+json' };
      const body = { metadata: { managedFields: [{}] } };
      const stripped = objectOf(await hub.ask('PATCH', `${MAPS}/strip`, { headers, body }));
      assert.is(stripped.metadata.managedFields, undefined);
      const again = objectOf(await applyAs('one', `${MAPS}/strip`, map('strip', { a: '1' })));
      assert.equal(named(again), ['one Apply', 'before-first-apply Update']);
    });
  },
  {
    caseTimeoutMs: 40_000,
    before: async () => {
      hub = await startHub();
    },
  },
);

spec(
  'kubectl apply',
  (it) => {
    it('--server-side creates, repeats, and shows who owns what', async () => {
      const file = manifest('web', web(2));
      assert.match(await kubectl('apply', '--server-side', '-f', file), 'serverside-applied');
      const before = await get(`${DEPLOYMENTS}/web`);
      await kubectl('apply', '--server-side', '-f', file);
      assert.equal(await get(`${DEPLOYMENTS}/web`), before);
      const shown = await kubectl('get', 'deploy', 'web', '-o', 'yaml', '--show-managed-fields');
      assert.match(shown, 'manager: kubectl');
      assert.match(shown, 'k:{"containerPort":80,"protocol":"TCP"}');
      const hidden = await kubectl('get', 'deploy', 'web', '-o', 'yaml');
      assert.not.match(hidden, 'managedFields');
    });

    it('--server-side explains a conflict, and --force-conflicts takes over', async () => {
      await kubectl('scale', 'deploy/web', '--replicas=4');
      const file = manifest('web', web(2));
      const refused = await hub.kubectl('apply', '--server-side', '-f', file);
      assert.is(refused.code, 1);
      assert.match(
        refused.err,
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas',
      );
      await kubectl('apply', '--server-side', '--force-conflicts', '-f', file);
      assert.is(await kubectl('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), '2');
    });

    it('diff --server-side shows what would change', async () => {
      const same = await hub.kubectl('diff', '--server-side', '-f', manifest('web', web(2)));
      assert.is(same.code, 0, same.out + same.err);
      const changed = await hub.kubectl('diff', '--server-side', '-f', manifest('web', web(2, 'busybox:2')));
      assert.is(changed.code, 1, changed.err);
      assert.match(changed.out, /\+ +(- )?image: busybox:2/);
    });

    it('moves from the client to the server side, losing no field and no owner', async () => {
      const file = manifest('moving', map('moving', { a: '1', b: '2' }));
      await kubectl('apply', '-f', file);
      assert.match(await kubectl('apply', 'view-last-applied', 'cm/moving'), 'a: "1"');
      await kubectl('apply', '--server-side', '-f', manifest('moving', map('moving', { a: '3', b: '2' })));
      const moved = await get(`${MAPS}/moving`);
      assert.equal(moved['data'], { a: '3', b: '2' });
      assert.ok(named(moved).includes('kubectl Apply'), String(named(moved)));
      assert.not.ok(named(moved).includes('kubectl-client-side-apply Update'), String(named(moved)));
      await kubectl('apply', '--server-side', '-f', manifest('moving', map('moving', { a: '3' })));
      assert.equal((await get(`${MAPS}/moving`))['data'], { a: '3' });
      await kubectl('apply', '-f', manifest('moving', map('moving', { a: '4' })));
      assert.equal((await get(`${MAPS}/moving`))['data'], { a: '4' });
    });

    it('says "unchanged" the second time', async () => {
      const file = manifest('twice', map('twice', { a: '1' }));
      assert.match(await kubectl('apply', '-f', file), 'configmap/twice created');
      const before = await get(`${MAPS}/twice`);
      assert.match(await kubectl('apply', '-f', file), 'configmap/twice unchanged');
      assert.equal(await get(`${MAPS}/twice`), before);
    });

    for (const file of readdirSync(WORKLOADS).filter((f) => f.endsWith('.yaml'))) {
      it(`takes profiles/workloads/${file} either way, and twice changes nothing`, async () => {
        const path = join(WORKLOADS, file);
        await kubectl('apply', '--dry-run=server', '-f', path);
        await kubectl('apply', '--dry-run=server', '--server-side', '-f', path);
        for (const [namespace, way] of [
          ['client-way', []],
          ['server-way', ['--server-side']],
        ] as const) {
          await hub.ask('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
          const apply = ['apply', '-n', namespace, '-f', path, ...way];
          await kubectl(...apply);
          const read = ['get', '-n', namespace, '-f', path, '-o', 'json', '--show-managed-fields'];
          const before = await kubectl(...read);
          const said = await kubectl(...apply);
          // kubectl compares claim templates as one value and finds their defaults new each time, and always replaces the selector of a
          // disruption budget; that it changes nothing is seen below.
          assert.not.match(
            said.replaceAll(/^(statefulset|poddisruptionbudget).* configured$/gm, ''),
            'configured',
          );
          assert.is(await kubectl(...read), before);
        }
      });
    }

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  { caseTimeoutMs: 60_000, after: () => hub.stop() },
);
