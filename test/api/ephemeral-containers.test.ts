/** Ephemeral containers: `kubectl debug`, and what their subresource lets through. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;
const POD = '/api/v1/namespaces/default/pods/solo';
const PART = `${POD}/ephemeralcontainers`;
const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
const adding = (...names: string[]): object => ({
  spec: { ephemeralContainers: names.map((name) => ({ name, image: 'busybox' })) },
});

const names = async (): Promise<string[]> => {
  const pod = (await hub.ask('GET', POD)).json as Pod;
  return (pod.spec.ephemeralContainers ?? []).map((c) => c.name).sort();
};

spec(
  'ephemeral containers',
  (it) => {
    it('are added by kubectl debug', async () => {
      const { code, err } = await hub.kubectl(
        'debug',
        'solo',
        '--image=busybox:1.36',
        '--target=main',
        '--container=look',
        '--',
        'sleep',
        '60',
      );
      assert.is(code, 0, err);
      const [added] = ((await hub.ask('GET', POD)).json as Pod).spec.ephemeralContainers ?? [];
      assert.equal(
        [added?.name, added?.image, added?.targetContainerName, added?.command],
        ['look', 'busybox:1.36', 'main', ['sleep', '60']],
      );
      assert.is(added?.imagePullPolicy, 'IfNotPresent', 'defaults are set');
    });

    it('are added by PATCH and PUT; nothing else of the pod changes through them', async () => {
      const patched = await hub.ask('PATCH', PART, {
        headers: strategic,
        body: { ...adding('two'), metadata: { labels: { changed: 'yes' } } },
      });
      assert.is(patched.status, 200, patched.text);
      const pod = structuredClone((await hub.ask('GET', PART)).json) as Pod;
      pod.spec.ephemeralContainers?.push({ name: 'three', image: 'busybox' });
      pod.spec.containers = [{ name: 'other', image: 'other' }];
      const put = await hub.ask('PUT', PART, { body: pod });
      assert.is(put.status, 200, put.text);
      assert.equal(await names(), ['look', 'three', 'two']);
      const now = (await hub.ask('GET', POD)).json as Pod;
      assert.equal([now.metadata.labels, now.spec.containers[0]?.name], [{ app: 'solo' }, 'main']);
    });

    it('are never changed or removed', async () => {
      const changed = await hub.ask('PATCH', PART, {
        headers: strategic,
        body: { spec: { ephemeralContainers: [{ name: 'two', image: 'other' }] } },
      });
      assert.is(changed.status, 422);
      assert.match(changed.text, 'may not be changed');
      const removed = await hub.ask('PATCH', PART, {
        headers: { 'content-type': 'application/merge-patch+json' },
        body: adding('look'),
      });
      assert.is(removed.status, 422);
      assert.match(removed.text, 'may not be removed');
    });

    const refused = [
      ['a name that is taken', adding('main'), 422],
      ['no image', { spec: { ephemeralContainers: [{ name: 'x' }] } }, 422],
      [
        'ports',
        { spec: { ephemeralContainers: [{ name: 'x', image: 'i', ports: [{ containerPort: 1 }] }] } },
        422,
      ],
      ['a stale version', { ...adding('x'), metadata: { resourceVersion: '1' } }, 409],
    ] as const;
    for (const [name, body, status] of refused)
      it(`are refused: ${name}`, async () => {
        assert.is((await hub.ask('PATCH', PART, { headers: strategic, body })).status, status);
      });

    it('come neither with the pod nor by an update of it', async () => {
      const update = await hub.ask('PATCH', POD, { headers: strategic, body: adding('sly') });
      assert.is(update.status, 422);
      assert.match(update.text, 'pod updates may not change fields other than');
      const pod = runningPod('born', 'worker-1') as { spec: object };
      const body = { ...pod, spec: { ...pod.spec, ephemeralContainers: [{ name: 'x', image: 'i' }] } };
      const create = await hub.ask('POST', '/api/v1/namespaces/default/pods', { body });
      assert.is(create.status, 422);
      assert.match(create.text, 'cannot be set on create');
    });

    it('are nowhere else', async () => {
      assert.is((await hub.ask('GET', PART.replace('solo', 'nobody'))).status, 404);
      assert.is((await hub.ask('DELETE', PART)).status, 405);
      const dry = await hub.ask('PATCH', `${PART}?dryRun=All`, { headers: strategic, body: adding('dry') });
      assert.is(dry.status, 200);
      assert.equal(await names(), ['look', 'three', 'two']);
    });
  },
  {
    caseTimeoutMs: 30_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('solo', 'worker-1'));
    },
    after: () => hub.stop(),
  },
);
