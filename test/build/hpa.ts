import type { HpaWorld } from '../../hub/decide/hpa.ts';
import type { PodUse } from '../../hub/decide/hpa-types.ts';
import type { HorizontalPodAutoscaler, MetricSpec } from '../../protocol/kinds/autoscaling.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { pod } from './workloads.ts';

/** The instant the autoscalers of tests are judged at. */
export const HPA_NOW = { atMs: Date.parse('2026-01-01T06:00:00Z'), time: '2026-01-01T06:00:00Z' };

/** A metric on the CPU share. */
export const cpuShare = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

/** An autoscaler of the deployment `web`, 1 to 10 replicas at half of the CPU requested unless said otherwise. */
export function autoscaler(spec: Partial<HorizontalPodAutoscaler['spec']> = {}): HorizontalPodAutoscaler {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'hpa',
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 10,
      metrics: [cpuShare(50)],
      ...spec,
    },
    status: { desiredReplicas: 0 },
  };
}

/** A pod that serves since long ago and requests a tenth of a core and 100 MB. */
export function serving(name: string, parts: Parameters<typeof pod>[1] = {}): Pod {
  const made = pod(name, { labels: { app: 'web' }, node: 'n', ...parts });
  const [main] = made.spec.containers;
  const requests = { cpu: '100m', memory: '100M' };
  return {
    ...made,
    spec: { ...made.spec, containers: main === undefined ? [] : [{ ...main, resources: { requests } }] },
    status: { ...made.status, startTime: '2026-01-01T00:00:00Z' },
  };
}

/** Use of so many thousandths of a core, told just now. */
export const use = (amount: number): PodUse => ({ amount, atMs: HPA_NOW.atMs, windowMs: 15_000 });

/** A world of serving pods that each use `milli[i]`; undefined is a pod that nothing is told of. */
export function hpaWorld(
  milli: readonly (number | undefined)[],
  parts: Partial<HpaWorld> & { replicas?: number } = {},
): HpaWorld {
  const pods = milli.map((_, i) => serving(`p${i}`));
  const { replicas = milli.length, ...rest } = parts;
  return {
    hpa: autoscaler(),
    scale: { ok: true, replicas, selector: 'app=web' },
    pods,
    claimants: ['default/web'],
    useOf: ({ metadata }) => {
      const amount = milli[Number(metadata.name.slice(1))];
      return amount === undefined ? undefined : use(amount);
    },
    memory: { recommendations: [], events: [] },
    now: HPA_NOW,
    monotonicMs: 1_000_000,
    ...rest,
  };
}
