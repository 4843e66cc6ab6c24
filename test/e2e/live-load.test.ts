import * as assert from 'uvu/assert';
import type { Event } from '../../protocol/kinds/core.ts';
import { spec } from '../spec.ts';
import {
  allReady,
  countByNode,
  cpuRatios,
  deployment,
  nodesIdle,
  podsOf,
  removeDeployment,
} from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;

/** Live CPU of a node in percent, as `cox top` and metrics.k8s.io see it. */
async function cpuPercent(node: string): Promise<number> {
  return Math.round(((await cpuRatios(lab))[node] ?? -1) * 100);
}

async function eventsOf(name: string): Promise<Event[]> {
  return (await lab.get<{ items: Event[] }>('events', '--field-selector', `involvedObject.name=${name}`))
    .items;
}

spec(
  'placement by live load',
  (it) => {
    it('sends twenty of twenty pods to the one idle device, though all requests are equal', async () => {
      for (const node of ['worker-1', 'worker-2']) await lab.run('load', node, '90', '120');
      for (const node of ['worker-1', 'worker-2']) {
        await lab.eventually(async () => (await cpuPercent(node)) >= 70, { withinMs: 60_000, everyMs: 500 });
      }
      await lab.apply(
        deployment('crowd', {
          replicas: 20,
          container: { resources: { requests: { cpu: '5m', memory: '4Mi' } } },
        }),
      );
      const pods = await allReady(lab, 'crowd', 20, 90_000);
      assert.equal(countByNode(pods), { 'worker-3': 20 });
      for (const node of ['worker-1', 'worker-2']) await lab.run('load', node, '0', '0');
      await removeDeployment(lab, 'crowd');
    });

    it('moves nothing when load goes up and down', async () => {
      await lab.apply(deployment('steady', { replicas: 6 }));
      const before = await allReady(lab, 'steady', 6);
      for (const [node, percent] of [
        ['worker-1', '80'],
        ['worker-2', '80'],
        ['worker-1', '0'],
        ['worker-3', '80'],
      ] as const) {
        await lab.run('load', node, percent, '120');
        const busy = Number(percent) > 0;
        await lab.eventually(async () => (await cpuPercent(node)) > 50 === busy, {
          withinMs: 60_000,
          everyMs: 500,
        });
      }
      const after = await podsOf(lab, 'steady');
      assert.equal(after.map((p) => p.metadata.uid).sort(), before.map((p) => p.metadata.uid).sort());
      for (const node of ['worker-1', 'worker-2', 'worker-3']) await lab.run('load', node, '0', '0');
      await removeDeployment(lab, 'steady');
    });

    it('tells for every node why a pod is pending', async () => {
      const pod = (name: string, spec: unknown): string =>
        JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec });
      const container = { name: 'main', image: 'busybox:latest', command: ['sleep', '1000000'] };
      await lab.kubectl('cordon', 'worker-2');
      await lab.kubectl('taint', 'nodes', 'worker-3', 'only=others:NoSchedule');
      await lab.apply(
        pod('huge', { containers: [{ ...container, resources: { requests: { memory: '100Gi' } } }] }),
      );
      const event = await lab.eventually(
        async () => (await eventsOf('huge')).find((e) => e.reason === 'FailedScheduling'),
        { withinMs: 20_000 },
      );
      const text = event.message ?? '';
      assert.match(text, '0/3 nodes are available');
      for (const [node, why] of [
        ['worker-1', 'nsufficient memory'],
        ['worker-2', 'unschedulable'],
        ['worker-3', 'taint'],
      ] as const) {
        assert.match(text, node);
        assert.match(text, why);
      }
      await lab.kubectl('uncordon', 'worker-2');
      await lab.kubectl('taint', 'nodes', 'worker-3', 'only-');
      await lab.kubectl('delete', 'pod', 'huge');
    });
  },
  {
    caseTimeoutMs: 300_000,
    before: async () => {
      lab = await startLab({ workers: 3, name: 'load' });
      await nodesIdle(lab);
    },
    after: () => lab.stop(),
  },
);
