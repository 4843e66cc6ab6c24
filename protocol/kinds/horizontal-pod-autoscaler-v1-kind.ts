import { isRecord } from '../json.ts';
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerV1, MetricSpec } from './autoscaling.ts';
import { defineKind } from './define-kind.ts';
import { hpaColumns, targetsText } from './horizontal-pod-autoscaler-kind.ts';
import type { Loose } from './loose.ts';
import type { KubeObject } from './meta.ts';

/** Where version 1 keeps what it has no fields for. The values are JSON of version 2. */
const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';
/** The same for its status. */
const CONDITIONS = 'autoscaling.alpha.kubernetes.io/conditions';
const CURRENT = 'autoscaling.alpha.kubernetes.io/current-metrics';

const cpuOf = (metric: Loose<MetricSpec>): number | undefined =>
  metric.type === 'Resource' && metric.resource?.name === 'cpu'
    ? metric.resource.target?.averageUtilization
    : undefined;

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // an annotation anybody may have written: what cannot be read is not there
  }
}

/** autoscaling/v1 to v2. Annotations of its own making become fields again. */
export function hpaToV2(object: KubeObject): KubeObject {
  const v1 = object as Loose<HorizontalPodAutoscalerV1>;
  const {
    [METRICS]: metrics,
    [BEHAVIOR]: behavior,
    [CONDITIONS]: conditions,
    [CURRENT]: currentMetrics,
    ...annotations
  } = v1.metadata?.annotations ?? {};
  const { targetCPUUtilizationPercentage: cpu, ...spec } = v1.spec ?? {};
  const { currentCPUUtilizationPercentage: current, ...status } = v1.status ?? {};
  const others = parsed(metrics);
  const list = [
    ...(cpu === undefined ? [] : [cpuMetric(cpu)]),
    ...(Array.isArray(others) ? others.filter(isRecord) : []),
  ];
  const rules = parsed(behavior);
  const { annotations: _all, ...metadata } = object.metadata;
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: { ...metadata, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    spec: {
      ...spec,
      ...(list.length === 0 ? {} : { metrics: list }),
      ...(isRecord(rules) ? { behavior: rules } : {}),
    },
    ...(v1.status === undefined
      ? {}
      : {
          status: {
            ...status,
            ...listOf('currentMetrics', currentMetrics, current === undefined ? [] : [cpuStatus(current)]),
            ...listOf('conditions', conditions, []),
          },
        }),
  } as KubeObject;
}

/** The list that an annotation holds, or the other one; nothing when both are empty. */
function listOf(name: string, text: string | undefined, other: readonly object[]): object {
  const given = parsed(text);
  const list = Array.isArray(given) ? given.filter(isRecord) : other;
  return list.length === 0 ? {} : { [name]: list };
}

const cpuMetric = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});
const cpuStatus = (averageUtilization: number): object => ({
  type: 'Resource',
  resource: { name: 'cpu', current: { averageUtilization } },
});

/** autoscaling/v2 to v1. */
export function hpaToV1(object: KubeObject): KubeObject {
  const v2 = object as Loose<HorizontalPodAutoscaler>;
  const { metrics = [], behavior, ...spec } = v2.spec ?? {};
  const { currentMetrics = [], conditions = [], ...status } = v2.status ?? {};
  const at = metrics.findIndex((m) => cpuOf(m) !== undefined);
  const cpu = at < 0 ? undefined : cpuOf(metrics[at] ?? {});
  const others = metrics.filter((_, i) => i !== at);
  const current = currentMetrics.find((m) => m.resource?.name === 'cpu')?.resource?.current;
  const annotations = {
    ...object.metadata.annotations,
    ...(others.length === 0 ? {} : { [METRICS]: JSON.stringify(others) }),
    ...(behavior === undefined ? {} : { [BEHAVIOR]: JSON.stringify(behavior) }),
    ...(conditions.length === 0 ? {} : { [CONDITIONS]: JSON.stringify(conditions) }),
    ...(currentMetrics.length === 0 ? {} : { [CURRENT]: JSON.stringify(currentMetrics) }),
  };
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...object.metadata,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    spec: { ...spec, ...(cpu === undefined ? {} : { targetCPUUtilizationPercentage: cpu }) },
    status: {
      currentReplicas: 0,
      desiredReplicas: 0,
      ...status,
      ...(current?.averageUtilization === undefined
        ? {}
        : { currentCPUUtilizationPercentage: current.averageUtilization }),
    },
  } as KubeObject;
}

/** autoscaling/v1 HorizontalPodAutoscaler: a view of the objects of version 2; `kubectl autoscale` writes it. */
export const horizontalPodAutoscalerV1Kind = defineKind<HorizontalPodAutoscaler>({
  kind: 'HorizontalPodAutoscaler',
  id: 'HorizontalPodAutoscaler.v1.autoscaling',
  group: 'autoscaling',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  hasStatus: true,
  columns: hpaColumns((hpa) => targetsText(hpaToV2(hpa as KubeObject) as Loose<HorizontalPodAutoscaler>)),
  view: { of: 'HorizontalPodAutoscaler', toStored: hpaToV2, fromStored: hpaToV1 },
});
