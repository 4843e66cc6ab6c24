/** Random requests at the API's door: whatever comes, the answer is a Status or an object, never a 500, never a crash. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { damaged } from '../build/random-input.ts';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';
import {
  body,
  METHODS,
  operations,
  path,
  query,
  resource,
  SEEDS,
  sane,
  TYPES,
  tree,
} from './random-requests.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;
const RUNS = 300;

spec(
  'random requests',
  (it) => {
    it('get an answer for any path and query', async () => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...METHODS), path, query, async (method, where, q) => {
          const reply = await hub.ask(method, q === '' ? where : `${where}?${q}`);
          sane(hub, reply, `${method} ${where}?${q}`);
        }),
        { numRuns: RUNS },
      );
    });

    it('get an answer for any body', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE'),
          resource,
          fc.constantFrom(...TYPES),
          body,
          async (method, where, type, bytes) => {
            const reply = await hub.ask(method, where, { body: bytes, headers: { 'content-type': type } });
            sane(hub, reply, `${method} ${where} ${type} ${bytes.toString('latin1')}`);
          },
        ),
        { numRuns: RUNS * 2 },
      );
    });

    it('get an answer for any patch of an object that is there', async () => {
      const targets = [
        '/api/v1/namespaces/default/pods/web',
        '/apis/apps/v1/namespaces/default/deployments/web',
      ];
      const parts = ['', '/status', '/scale'];
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...targets),
          fc.constantFrom(...parts),
          fc.constantFrom(...TYPES.slice(2, 5)),
          fc.oneof(tree, operations),
          async (target, part, type, patch) => {
            const headers = { 'content-type': type };
            const reply = await hub.ask('PATCH', `${target}${part}?dryRun=All`, {
              headers,
              body: JSON.stringify(patch) ?? '',
            });
            sane(hub, reply, `${target}${part} ${type} ${JSON.stringify(patch)}`);
          },
        ),
        { numRuns: RUNS },
      );
    });

    it('get objects that can be listed and printed whatever was let in', async () => {
      let accepted = 0;
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...SEEDS), fc.nat(), tree, async (seed, at, part) => {
          const object = damaged(seed.object, at, part) as { metadata?: unknown };
          const metadata = { ...(object.metadata as object | undefined), generateName: 'fuzz-' };
          const whole = { ...object, metadata: { ...metadata, name: undefined } };
          const reply = await hub.ask('POST', `${seed.path}?fieldValidation=Ignore`, { body: whole });
          sane(hub, reply, JSON.stringify(whole));
          if (reply.status !== 201) return;
          accepted++;
          const { name } = (reply.json as { metadata: { name: string } }).metadata;
          const next = { ...damaged(reply.json as object, at, 'x'), status: damaged(seed.object, at, part) };
          sane(
            hub,
            await hub.ask('PUT', `${seed.path}/${name}/status`, { body: next }),
            JSON.stringify(next),
          );
          sane(hub, await hub.ask('PUT', `${seed.path}/${name}`, { body: next }), JSON.stringify(next));
          const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
          sane(
            hub,
            await hub.ask('GET', `${seed.path}/${name}`, { headers: { accept } }),
            JSON.stringify(whole),
          );
          sane(hub, await hub.ask('DELETE', `${seed.path}/${name}?gracePeriodSeconds=0`), name);
        }),
        { numRuns: RUNS * 2 },
      );
      assert.ok(accepted > RUNS / 4, `only ${accepted} objects were let in`);
    });
  },
  {
    caseTimeoutMs: 120_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('web', 'worker-1'));
      const template = {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'c', image: 'b' }] },
      };
      await hub.put({
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default' },
        spec: { selector: { matchLabels: { app: 'web' } }, template },
      });
    },
    after: () => hub.stop(),
  },
);
