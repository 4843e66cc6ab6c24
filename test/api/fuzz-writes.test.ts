/** Random server-side applies, lists of managers and protobuf bodies: never a 500, and what was applied stays applied. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { toYaml } from '../../kit/yaml.ts';
import { damaged } from '../build/random-input.ts';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';
import { resource, SEEDS, sane, tree, value } from './random-requests.ts';

let hub: TestHub;
const RUNS = 250;
const APPLY = { 'content-type': 'application/apply-patch+yaml' };
const PROTOBUF = { 'content-type': 'application/vnd.kubernetes.protobuf' };

/** Bodies as kubectl sent them. */
const bodies = Object.values(
  JSON.parse(
    readFileSync(new URL('../unit/hub/protobuf/kubectl-bodies.json', import.meta.url), 'utf8'),
  ) as Record<string, string>,
).map((text) => Buffer.from(text, 'base64'));

interface Applied {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
}

const TYPES_OF: Readonly<Record<string, object>> = {
  pods: { apiVersion: 'v1', kind: 'Pod' },
  nodes: { apiVersion: 'v1', kind: 'Node' },
  deployments: { apiVersion: 'apps/v1', kind: 'Deployment' },
  secrets: { apiVersion: 'v1', kind: 'Secret' },
};

/** Seeds in the form an apply has. */
const targets = SEEDS.flatMap(({ path, object }) => {
  const plural = path.split('/').at(-1) ?? '';
  const type = TYPES_OF[plural];
  const { metadata } = object as { metadata: object };
  return type === undefined
    ? []
    : [{ path, object: { ...object, ...type, metadata: { ...metadata, name: 'applied' } } }];
});

const parameters = fc
  .record({
    fieldManager: fc.oneof(fc.constantFrom('one', 'two', '', 'x'.repeat(200)), fc.string({ maxLength: 10 })),
    force: fc.oneof(fc.constantFrom('true', 'false'), value),
    fieldValidation: fc.constantFrom('Ignore', 'Warn', 'Strict'),
  })
  .map((all) => new URLSearchParams(all).toString());

spec(
  'random writes',
  (it) => {
    it('apply what they say, once', async () => {
      let accepted = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...targets),
          fc.constantFrom('', '', '/status', '/scale'),
          parameters,
          fc.nat(),
          fc.oneof(tree, fc.constant('kept')),
          async ({ path, object }, part, query, at, wrong) => {
            const body = toYaml(wrong === 'kept' ? object : damaged(object, at, wrong));
            const where = `${path}/${object.metadata.name}${part}?${query}`;
            const reply = await hub.ask('PATCH', where, { headers: APPLY, body });
            sane(hub, reply, `${where}\n${body}`);
            if (reply.status >= 300) return;
            accepted++;
            const again = await hub.ask('PATCH', where, { headers: APPLY, body });
            assert.is(again.status, 200, `${where}\n${body}\n${again.text}`);
            const [first, second] = [reply.json as Applied, again.json as Applied];
            assert.is(second.metadata.resourceVersion, first.metadata.resourceVersion, `${where}\n${body}`);
          },
        ),
        { numRuns: RUNS * 2 },
      );
      assert.ok(accepted > RUNS / 5, `only ${accepted} applies were let in`);
    });

    it('apply anything at all', async () => {
      await fc.assert(
        fc.asyncProperty(
          resource,
          parameters,
          fc.oneof(tree.map(toYaml), fc.string()),
          async (path, query, body) => {
            const where = `${path}?${query}`;
            sane(hub, await hub.ask('PATCH', where, { headers: APPLY, body }), `${where}\n${body}`);
          },
        ),
        { numRuns: RUNS },
      );
    });

    it('name anybody as managers of anything', async () => {
      const where = '/api/v1/namespaces/default/configmaps/managed';
      await hub.ask('PATCH', `${where}?fieldManager=one`, {
        headers: APPLY,
        body: toYaml({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { labels: { a: 'b' } },
          data: { a: 'b' },
        }),
      });
      await fc.assert(
        fc.asyncProperty(fc.nat(), tree, fc.constantFrom('1', '2'), async (at, wrong, text) => {
          const object = (await hub.ask('GET', where)).json as { metadata: { managedFields?: object[] } };
          const managers = { managedFields: object.metadata.managedFields ?? [] };
          const metadata = { ...object.metadata, ...damaged(managers, at, wrong) };
          const body = { ...object, metadata, data: { a: text } };
          sane(hub, await hub.ask('PUT', `${where}?fieldManager=two`, { body }), JSON.stringify(body));
          const applied = { apiVersion: 'v1', kind: 'ConfigMap', data: { b: text } };
          const reply = await hub.ask('PATCH', `${where}?fieldManager=three`, {
            headers: APPLY,
            body: toYaml(applied),
          });
          assert.is(reply.status, 200, reply.text);
        }),
        { numRuns: RUNS },
      );
    });

    it('come as damaged protobuf', async () => {
      const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('POST', 'PUT', 'DELETE'),
          resource,
          fc.constantFrom(...bodies),
          changes,
          async (method, path, good, places) => {
            const body = Buffer.from(good);
            for (const [at, byte] of places) body[at % body.length] = byte;
            const where = `${path}?dryRun=All`;
            const reply = await hub.ask(method, where, { body, headers: PROTOBUF });
            sane(hub, reply, `${method} ${where} ${body.toString('base64')}`);
          },
        ),
        { numRuns: RUNS * 2 },
      );
    });
  },
  {
    caseTimeoutMs: 120_000,
    before: async () => {
      hub = await startHub();
    },
    after: () => hub.stop(),
  },
);
