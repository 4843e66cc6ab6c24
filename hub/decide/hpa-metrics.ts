import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  ScalingRules,
} from '../../protocol/kinds/autoscaling.ts';
import type { Container, Pod } from '../../protocol/kinds/pod.ts';
import { bytesOf, cpuMilli, parseQuantity } from '../../protocol/quantity.ts';
import { type MetricAim, type MetricQuestion, proposeReplicas } from './hpa-replicas.ts';
import type { MetricOutcome, PodUse } from './hpa-types.ts';

/** Use of a pod, or of one of its containers; undefined when it is not known or too old. `resource` is `cpu` or `memory`. */
export type UseOf = (pod: Pod, resource: string, container: string | undefined) => PodUse | undefined;

/** What the metrics are judged by. */
export interface MetricWorld {
  readonly current: number;
  readonly pods: readonly Pod[];
  readonly useOf: UseOf;
  /** Relative distance from the aim that is let be, 0..1. */
  readonly tolerance: { readonly up: number; readonly down: number };
  readonly nowMs: number;
}

/** A metric's proposal under the name Kubernetes tells it by, or why there is none; `status` either way. */
export type Proposal =
  | { readonly ok: true; readonly replicas: number; readonly name: string; readonly status: MetricStatus }
  | {
      readonly ok: false;
      /** Of the condition ScalingActive and of the Event. */
      readonly reason: string;
      readonly why: string;
      /** The same, as the sum over all metrics tells it. */
      readonly error: string;
      readonly status: MetricStatus;
    };

const DEFAULT_TOLERANCE = 0.1;

/** How far from its aim an autoscaler lets a metric be, upwards and downwards; a tenth where its behavior does not say. Pure. */
export function toleranceOf({ spec }: HorizontalPodAutoscaler): MetricWorld['tolerance'] {
  const of = (rules: ScalingRules | undefined): number =>
    rules?.tolerance === undefined
      ? DEFAULT_TOLERANCE
      : (parseQuantity(rules.tolerance) ?? DEFAULT_TOLERANCE);
  return { up: of(spec.behavior?.scaleUp), down: of(spec.behavior?.scaleDown) };
}

/** Asks one metric of an autoscaler. Metrics from elsewhere than the devices have no source here, and say so. Pure; never throws. */
export function askMetric(metric: MetricSpec, world: MetricWorld): Proposal {
  switch (metric.type) {
    case 'Resource':
      return ofResource(metric.type, metric.resource, world);
    case 'ContainerResource':
      return ofResource(metric.type, metric.containerResource, world);
    default:
      return withoutSource(metric);
  }
}

function withoutSource(metric: MetricSpec): Proposal {
  const api = metric.type === 'External' ? 'external' : 'custom';
  const source = metric.pods ?? metric.object ?? metric.external;
  const name = source?.metric.name ?? '';
  const word = metric.type.toLowerCase();
  const why = `unable to get metric ${name}: unable to fetch metrics from ${api} metrics API: the server could not find the requested resource`;
  return {
    ok: false,
    reason: `FailedGet${metric.type}Metric`,
    why,
    error: `failed to get ${word} metric value: ${why}`,
    status: { type: metric.type },
  };
}

interface ResourceSource {
  readonly name: string;
  readonly container?: string;
  readonly target: MetricTarget;
}

function ofResource(
  type: 'Resource' | 'ContainerResource',
  source: ResourceSource | undefined,
  world: MetricWorld,
): Proposal {
  if (source === undefined) return refused(type, '', 'invalid metric source', '');
  const { name, container, target } = source;
  const isCpu = name === 'cpu';
  const amountOf = isCpu ? cpuMilli : bytesOf;
  const aim = aimOf(target, amountOf);
  if (aim === undefined) {
    const why =
      'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set';
    return refused(type, name, why, why);
  }
  const question: MetricQuestion = {
    ...world,
    isCpu,
    aim,
    useOf: (pod) => world.useOf(pod, name, container),
    requestOf: (pod) => requestOf(pod, name, container, amountOf),
  };
  const outcome = proposeReplicas(question);
  if (!outcome.ok) {
    const inner = outcome.noMetrics === undefined ? outcome.why : withoutMetrics(name, outcome.noMetrics);
    const what = aim.by === 'utilization' ? 'utilization' : 'usage';
    return refused(type, name, inner, `failed to get ${name} ${what}: ${inner}`);
  }
  const suffix = aim.by === 'utilization' ? ' utilization (percentage of request)' : '';
  return {
    ok: true,
    replicas: outcome.replicas,
    name: `${name} ${type === 'Resource' ? '' : 'container '}resource${suffix}`,
    status: statusOf(type, source, outcome, isCpu),
  };
}

const withoutMetrics = (name: string, why: string): string =>
  `unable to get metrics for resource ${name}: ${why}`;

function refused(type: 'Resource' | 'ContainerResource', name: string, inner: string, why: string): Proposal {
  const what = type === 'Resource' ? 'resource' : 'container';
  return {
    ok: false,
    reason: `FailedGet${type}Metric`,
    why: why === '' ? inner : why,
    error: `failed to get ${name} ${what} metric value: ${why === '' ? inner : why}`,
    status: { type },
  };
}

function aimOf(
  { averageValue, averageUtilization }: MetricTarget,
  amountOf: (quantity: string) => number,
): MetricAim | undefined {
  if (averageValue !== undefined) return { by: 'average', amount: Math.max(1, amountOf(averageValue)) };
  return averageUtilization === undefined ? undefined : { by: 'utilization', percent: averageUtilization };
}

/** What the pod's containers, sidecars among them, request; one that requests nothing leaves no share to be told. */
function requestOf(
  { spec, metadata }: Pod,
  resource: string,
  only: string | undefined,
  amountOf: (quantity: string) => number,
): number | { readonly missing: string } {
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  const all: readonly Container[] = [...spec.containers, ...sidecars];
  const asked = only === undefined ? all : all.filter((c) => c.name === only);
  if (asked.length === 0) return { missing: `container ${only ?? ''} not found in Pod ${metadata.name}` };
  let sum = 0;
  for (const { name, resources } of asked) {
    const request = resources?.requests?.[resource];
    if (request === undefined)
      return { missing: `missing request for ${resource} in container ${name} of Pod ${metadata.name}` };
    sum += amountOf(request);
  }
  return sum;
}

function statusOf(
  type: 'Resource' | 'ContainerResource',
  { name, container = '' }: ResourceSource,
  { percent, average }: MetricOutcome & { ok: true },
  isCpu: boolean,
): MetricStatus {
  const current = {
    ...(percent === undefined ? {} : { averageUtilization: percent }),
    averageValue: decimalQuantity(isCpu ? average : average * 1000),
  };
  return type === 'Resource'
    ? { type, resource: { name, current } }
    : { type, containerResource: { name, container, current } };
}

/** Thousandths as Kubernetes writes a decimal quantity: the largest unit that leaves no fraction, `1500m`, `2`, `5M`. Pure. */
export function decimalQuantity(milli: number): string {
  const units = ['m', '', 'k', 'M', 'G', 'T', 'P', 'E'];
  let [value, unit] = [Math.round(milli), 0];
  if (value === 0) return '0';
  while (value % 1000 === 0 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value}${units[unit] ?? ''}`;
}
