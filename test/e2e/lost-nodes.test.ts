import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import {
  allReady,
  deployment,
  isReady,
  nodeOf,
  nodesReady,
  podsOf,
  removeDeployment,
  runningContainers,
} from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;

/** Ready pods of the app that are not on one of the lost nodes. */
async function readyElsewhere(app: string, lost: readonly string[], namespace = 'default'): Promise<number> {
  const pods = await podsOf(lab, app, namespace);
  return pods.filter(
    (p) => isReady(p) && p.metadata.deletionTimestamp === undefined && !lost.includes(nodeOf(p)),
  ).length;
}

spec(
  'devices that are lost',
  (it) => {
    it('have their pods run elsewhere, and fight over nothing when they return', async () => {
      await lab.apply(deployment('shop', { replicas: 5 }));
      const before = await allReady(lab, 'shop', 5);
      const lost = before.map(nodeOf)[0] ?? '';
      const cutAtMs = performance.now();
      await lab.run('power-off', lost);
      await lab.eventually(async () => (await readyElsewhere('shop', [lost])) === 5, {
        withinMs: 30_000,
        everyMs: 100,
      });
      const tookMs = performance.now() - cutAtMs;
      process.stdout.write(`power-off -> Ready elsewhere: ${Math.round(tookMs)} ms\n`);
      assert.ok(tookMs < 15_000, `the promise is 12 s on an idle machine; took ${Math.round(tookMs)} ms`);
      const replaced = (await podsOf(lab, 'shop'))
        .filter((p) => nodeOf(p) !== lost)
        .map((p) => p.metadata.uid);
      await lab.run('power-on', lost);
      await nodesReady(lab);
      const after = await allReady(lab, 'shop', 5);
      assert.equal(
        after.map((p) => p.metadata.uid).sort(),
        replaced.sort(),
        'the return of the node moved nothing',
      );
      await lab.eventually(async () => (await runningContainers(lab, lost)).length === 0, {
        withinMs: 30_000,
      });
      await removeDeployment(lab, 'shop');
    });

    it('keep pods that tolerate it, by pod and by namespace', async () => {
      const patient = {
        tolerations: [
          {
            key: 'node.kubernetes.io/unreachable',
            operator: 'Exists',
            effect: 'NoExecute',
            tolerationSeconds: 3600,
          },
        ],
      };
      await lab.apply(
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: 'slow', annotations: { 'coxswain.dev/toleration-seconds': '3600' } },
        }),
      );
      await lab.apply(deployment('patient', { replicas: 1, pod: { ...patient, nodeName: 'worker-2' } }));
      await lab.apply(deployment('calm', { replicas: 1, namespace: 'slow', pod: { nodeName: 'worker-2' } }));
      await lab.apply(
        deployment('hasty', { replicas: 1, pod: { nodeSelector: {}, affinity: prefer('worker-2') } }),
      );
      const [patientPod] = await allReady(lab, 'patient', 1);
      const [calmPod] = await allReady(lab, 'calm', 1, 60_000, 'slow');
      const [hastyPod] = await allReady(lab, 'hasty', 1);
      assert.is(hastyPod && nodeOf(hastyPod), 'worker-2', 'the preference was followed');
      await lab.run('power-off', 'worker-2');
      await lab.eventually(async () => (await readyElsewhere('hasty', ['worker-2'])) === 1, {
        withinMs: 40_000,
      });
      for (const [app, pod, namespace] of [
        ['patient', patientPod, 'default'],
        ['calm', calmPod, 'slow'],
      ] as const) {
        const now = await podsOf(lab, app, namespace);
        assert.equal(
          now.map((p) => p.metadata.uid),
          [pod?.metadata.uid],
        );
        assert.is(now[0]?.metadata.deletionTimestamp, undefined);
      }
      await lab.run('power-on', 'worker-2');
      await nodesReady(lab);
      await allReady(lab, 'patient', 1);
      await lab.kubectl('delete', 'deployment', 'patient', 'hasty');
      await lab.kubectl('delete', 'namespace', 'slow', '--timeout=60s');
    });

    it('three at once: the rest takes over what fits', async () => {
      await lab.apply(
        deployment('big', {
          replicas: 10,
          container: { resources: { requests: { memory: '100Mi', cpu: '10m' } } },
        }),
      );
      await allReady(lab, 'big', 10);
      const lost = ['worker-1', 'worker-3', 'worker-5'];
      await Promise.all(lost.map((node) => lab.run('power-off', node)));
      await lab.eventually(async () => (await readyElsewhere('big', lost)) === 10, { withinMs: 60_000 });
      await Promise.all(lost.map((node) => lab.run('power-on', node)));
      await nodesReady(lab);
      await allReady(lab, 'big', 10);
      for (const node of lost) {
        await lab.eventually(
          async () =>
            (await runningContainers(lab, node, 'label=coxswain.dev/pod-namespace=default')).length === 0,
          { withinMs: 30_000 },
        );
      }
    });
  },
  {
    caseTimeoutMs: 240_000,
    before: async () => {
      lab = await startLab({ workers: 5, name: 'lost', alone: true });
    },
    after: () => lab.stop(),
  },
);

function prefer(node: string): unknown {
  return {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 100,
          preference: {
            matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }],
          },
        },
      ],
    },
  };
}
