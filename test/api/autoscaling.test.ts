/** The real kubectl on autoscalers that their controller keeps. */
import * as assert from 'uvu/assert';
import { Autoscaler } from '../../hub/controllers/autoscaler.ts';
import { ScaleTargets } from '../../hub/controllers/scale-targets.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;
let controller: Autoscaler;
/** What every pod uses, in thousandths of a core. */
let milli = 0;
let tell: () => void = () => undefined;

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

async function shows(pattern: RegExp, ...args: string[]): Promise<string> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const out = await ok(...args);
    if (pattern.test(out)) return out;
    if (performance.now() > deadline) assert.match(out, pattern);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function podOf(name: string): object {
  const made = runningPod(name, 'worker-1') as Record<string, Record<string, unknown>>;
  const container = { name: 'main', image: 'busybox', resources: { requests: { cpu: '100m' } } };
  return {
    ...made,
    metadata: { ...made['metadata'], labels: { app: 'web' } },
    spec: { ...made['spec'], containers: [container] },
  };
}

spec(
  'kubectl on autoscalers',
  (it) => {
    it('autoscales, and shows what is and what should be', async () => {
      milli = 24;
      assert.match(
        await ok('autoscale', 'deployment', 'web', '--min=2', '--max=9', '--cpu-percent=50'),
        'horizontalpodautoscaler.autoscaling/web autoscaled',
      );
      await shows(
        /NAME +REFERENCE +TARGETS +MINPODS +MAXPODS +REPLICAS +AGE\nweb +Deployment\/web +cpu: 24%\/50% +2 +9 +2 +\S+\n/,
        'get',
        'hpa',
      );
      assert.match(await ok('get', 'horizontalpodautoscalers.v1.autoscaling', 'web'), /cpu: 24%\/50%/);
    });

    it('describes conditions and what it did', async () => {
      milli = 120;
      tell();
      await shows(/^5$/, 'get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}');
      const text = await shows(/SuccessfulRescale/, 'describe', 'hpa', 'web');
      assert.match(text, /resource cpu on pods +\(as a percentage of request\): +120% \(120m\) \/ 50%/);
      assert.match(text, /AbleToScale +True +\S+/);
      assert.match(text, /ScalingActive +True +ValidMetricFound/);
      assert.match(
        text,
        'New size: 5; reason: cpu resource utilization (percentage of request) above target',
      );
    });

    it('shows the first version in its own words', async () => {
      const v1 = JSON.parse(
        await ok('get', 'horizontalpodautoscalers.v1.autoscaling', 'web', '-o', 'json'),
      ) as {
        spec: { targetCPUUtilizationPercentage: number };
        status: { currentCPUUtilizationPercentage: number };
      };
      assert.is(v1.spec.targetCPUUtilizationPercentage, 50);
      assert.is(v1.status.currentCPUUtilizationPercentage, 120);
    });

    it('tells while nothing is known', async () => {
      milli = -1;
      tell();
      await shows(/<unknown>\/50%/, 'get', 'hpa');
      assert.match(await ok('describe', 'hpa', 'web'), /ScalingActive +False +FailedGetResourceMetric/);
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default' },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: 'web' } },
          template: {
            metadata: { labels: { app: 'web' } },
            spec: { containers: [{ name: 'main', image: 'busybox' }] },
          },
        },
      });
      for (const name of ['web-0', 'web-1']) await hub.put(podOf(name));
      const { deps } = hub.store;
      controller = new Autoscaler(deps, new ScaleTargets(deps, () => kinds), {
        read: () => (milli < 0 ? undefined : { amount: milli, atMs: Date.now(), windowMs: 5_000 }),
        subscribe: (listener) => {
          tell = () => listener('worker-1');
          return () => undefined;
        },
      });
      controller.start(new AbortController().signal);
    },
    after: async () => {
      await controller.stop();
      await hub.stop();
    },
  },
);
