/**
 * No request to a Ready pod fails while pods come and go. What it shows: that pods are Ready only when they answer, that they leave
 * the endpoints before they are stopped, and that updates, evictions and scaling keep to the numbers they are told. It asks pods at
 * their own addresses on their own device; a Service's virtual address is another matter.
 *
 * The manifest is one that a careful user writes: a readiness probe, a server that ends on SIGTERM, no update below four, a budget,
 * and a pause before the end. The pause is Kubernetes' own advice
 * (https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/): endpoints are told of an ending pod and its containers are
 * told to stop at the same time, so a client may still begin a request for as long as the news takes to reach it.
 */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { allReady, deployment, nodeOf, nodesIdle, podsOf } from './cluster.ts';
import { type Lab, startLab } from './lab.ts';
import { type LoadReport, startGenerator, startLoad } from './service-load.ts';

let lab: Lab;

const WEB = deployment('web', {
  replicas: 4,
  command: ['sh', '-c', 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait'],
  spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
  pod: { terminationGracePeriodSeconds: 10 },
  container: {
    resources: { requests: { cpu: '5m', memory: '4Mi' } },
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 },
    lifecycle: { preStop: { sleep: { seconds: 3 } } },
  },
});

const BUDGET = JSON.stringify({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web' },
  spec: { minAvailable: 3, selector: { matchLabels: { app: 'web' } } },
});

/** Runs `work` under load and gives what the load saw. */
async function underLoad(work: () => Promise<unknown>): Promise<LoadReport> {
  const load = await startLoad(lab, 'web');
  try {
    await work();
  } catch (error) {
    await load.stop();
    throw error;
  }
  return load.stop();
}

function assertNoneLost({ sent, failed }: LoadReport, least: number): void {
  assert.equal(failed, [], `${failed.length} of ${sent} requests failed`);
  assert.ok(sent >= least, `only ${sent} requests were sent`);
}

spec(
  'requests to Ready pods',
  (it) => {
    it('are counted when they fail', async () => {
      const { child, up, told } = startGenerator(lab, 'worker-1');
      child.stdin.write(`${JSON.stringify(['127.0.0.1:9'])}\n`);
      await up;
      child.stdin.end();
      const { sent, failed } = await told;
      assert.ok(sent > 0);
      assert.is(failed.length, sent);
      assert.match(failed[0]?.why ?? '', 'ECONNREFUSED');
    });

    it('all succeed during a rolling update, and never fewer than four are Ready', async () => {
      const report = await underLoad(async () => {
        await lab.kubectl('set', 'image', 'deployment/web', 'main=busybox:2');
        await lab.kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
        await allReady(lab, 'web', 4, 60_000);
      });
      assertNoneLost(report, 200);
      assert.ok(report.fewestReady >= 4, `saw ${report.fewestReady} Ready`);
      assert.ok(report.asked > 4, `old and new pods were asked: ${report.asked}`);
    });

    it('all succeed while a node is drained, and never fewer than the budget are Ready', async () => {
      const [first] = await podsOf(lab, 'web');
      assert.ok(first);
      const node = nodeOf(first);
      const report = await underLoad(async () => {
        await lab.kubectl('drain', node, '--ignore-daemonsets', '--timeout=120s');
        const pods = await allReady(lab, 'web', 4, 60_000);
        assert.ok(pods.every((pod) => nodeOf(pod) !== node));
      });
      await lab.kubectl('uncordon', node);
      assertNoneLost(report, 200);
      assert.ok(report.fewestReady >= 3, `saw ${report.fewestReady} Ready`);
    });

    it('all succeed from two pods to forty and back', async () => {
      await lab.kubectl('delete', 'pdb', 'web');
      await lab.kubectl('scale', 'deployment/web', '--replicas=2');
      await allReady(lab, 'web', 2, 60_000);
      const report = await underLoad(async () => {
        await lab.kubectl('scale', 'deployment/web', '--replicas=40');
        await allReady(lab, 'web', 40, 120_000);
        await lab.kubectl('scale', 'deployment/web', '--replicas=2');
        await allReady(lab, 'web', 2, 120_000);
      });
      assertNoneLost(report, 1000);
      assert.ok(report.fewestReady >= 2, `saw ${report.fewestReady} Ready`);
      assert.ok(report.asked >= 30, `asked ${report.asked} pods`);
    });
  },
  {
    caseTimeoutMs: 300_000,
    before: async () => {
      lab = await startLab({ workers: 3, name: 'requests' });
      await nodesIdle(lab);
      await lab.apply(WEB);
      await lab.apply(BUDGET);
      await allReady(lab, 'web', 4, 90_000);
    },
    after: async () => {
      await lab.kubectl('delete', 'deployment', 'web', '--ignore-not-found', '--wait=false');
      await lab.stop();
    },
  },
);
