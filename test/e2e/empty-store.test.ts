import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Event } from '../../protocol/kinds/core.ts';
import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import { spec } from '../spec.ts';
import {
  allReady,
  containerId,
  deployment,
  nodeOf,
  podsOf,
  removeDeployment,
  runningContainers,
} from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

const NODES = ['worker-1', 'worker-2'] as const;
const ACCEPT = 'coxswain.dev/accept-desired-state=true';

let lab: Lab;
let store: string;

async function refusalOf(node: string): Promise<Condition | undefined> {
  const { status } = await lab.get<Node>('node', node);
  return status?.conditions?.find((c) => c.type === 'DesiredStateRefused');
}

/** Waits until both devices have said no to the hub. */
async function allRefuse(): Promise<Record<string, string>> {
  const messages: Record<string, string> = {};
  for (const node of NODES) {
    const condition = await lab.eventually(
      async () => {
        const now = await refusalOf(node);
        return now?.status === 'True' ? now : false;
      },
      { withinMs: 30_000, everyMs: 200 },
    );
    messages[node] = condition.message ?? '';
  }
  return messages;
}

async function containersByNode(): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const node of NODES) found[node] = (await runningContainers(lab, node)).sort();
  return found;
}

spec(
  'a hub with an empty store and the old identity',
  (it) => {
    let before: Record<string, string[]>;

    it('leaves the fleet running, and says so on the node, in an Event and in its log', async () => {
      await lab.apply(deployment('keep', { replicas: 4 }));
      const pods = await allReady(lab, 'keep', 4);
      before = await containersByNode();
      for (const node of NODES) assert.is(before[node]?.length, 2);
      await lab.run('hub', 'stop');
      await rename(store, `${store}.lost`);
      await lab.run('hub', 'start');
      const messages = await allRefuse();
      assert.equal(await podsOf(lab, 'keep'), []);
      assert.equal(await containersByNode(), before);
      for (const node of NODES) {
        for (const pod of pods.filter((p) => nodeOf(p) === node)) {
          assert.match(messages[node] ?? '', `default/${pod.metadata.name}`);
        }
        assert.match(messages[node] ?? '', `kubectl annotate node ${node} ${ACCEPT}`);
        const event = await lab.eventually(
          async () => {
            const filter = `involvedObject.name=${node},reason=DesiredStateRefused`;
            return (await lab.get<{ items: Event[] }>('events', '-A', '--field-selector', filter)).items[0];
          },
          { withinMs: 10_000, everyMs: 200 },
        );
        assert.is(event.type, 'Warning');
        assert.is(event.message, messages[node]);
        assert.match(await lab.kubectl('describe', 'node', node), /DesiredStateRefused +True/);
      }
      assert.match(await lab.run('logs', 'hub'), 'device refuses the desired state');
    });

    it('gives no new pods to devices that do not follow, and says why', async () => {
      await lab.apply(deployment('later', { replicas: 1 }));
      const event = await lab.eventually(
        async () => {
          const filter = 'reason=FailedScheduling';
          return (await lab.get<{ items: Event[] }>('events', '--field-selector', filter)).items[0];
        },
        { withinMs: 20_000, everyMs: 200 },
      );
      assert.match(event.message ?? '', 'desired-state-refused');
      assert.equal(await containersByNode(), before);
    });

    it('is followed again without any churn once its store is restored', async () => {
      await lab.run('hub', 'stop');
      await rm(store, { recursive: true });
      await rename(`${store}.lost`, store);
      await lab.run('hub', 'start');
      const pods = await allReady(lab, 'keep', 4);
      assert.equal(await containersByNode(), before);
      assert.equal(pods.map((p) => containerId(p)).sort(), Object.values(before).flat().sort());
      for (const node of NODES) assert.is.not((await refusalOf(node))?.status, 'True');
      await lab.kubectl('scale', 'deployment/keep', '--replicas=6');
      await allReady(lab, 'keep', 6);
      before = await containersByNode();
    });

    it('is followed by a device once a person has accepted the loss for it, and by no other', async () => {
      await lab.run('hub', 'stop');
      await rm(store, { recursive: true });
      await lab.run('hub', 'start');
      await allRefuse();
      assert.equal(await containersByNode(), before);
      await lab.kubectl('annotate', 'node', 'worker-1', ACCEPT);
      await lab.eventually(async () => (await runningContainers(lab, 'worker-1')).length === 0, {
        withinMs: 30_000,
        everyMs: 200,
      });
      await lab.eventually(async () => (await refusalOf('worker-1'))?.status === 'False', {
        withinMs: 10_000,
      });
      await lab.apply(deployment('fresh', { replicas: 2 }));
      const pods = await allReady(lab, 'fresh', 2);
      assert.equal(pods.map(nodeOf), ['worker-1', 'worker-1']);
      assert.equal((await containersByNode())['worker-2'], before['worker-2']);
      await lab.kubectl('annotate', 'node', 'worker-2', ACCEPT);
      await lab.eventually(async () => (await runningContainers(lab, 'worker-2')).length === 0, {
        withinMs: 30_000,
        everyMs: 200,
      });
      await removeDeployment(lab, 'fresh');
    });
  },
  {
    caseTimeoutMs: 90_000,
    before: async () => {
      lab = await startLab({ workers: NODES.length, name: 'empty', alone: true });
      store = join((await lab.run('path')).trim(), 'hub/data/store');
    },
    after: () => lab.stop(),
  },
);
