import { ageColumn, integer, nameColumn, text } from '../print/cells.ts';
import { metricErrors, rulesErrors } from '../validate/autoscaling.ts';
import { at, invalidValue, required, unless } from '../validate/field-errors.ts';
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  ScalingRules,
} from './autoscaling.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';

const DEFAULT_CPU_PERCENT = 80;

function setDefaults(hpa: Loose<HorizontalPodAutoscaler>): void {
  hpa.spec ??= {};
  const { spec } = hpa;
  spec.minReplicas ??= 1;
  if ((spec.metrics ?? []).length === 0) {
    const target = { type: 'Utilization' as const, averageUtilization: DEFAULT_CPU_PERCENT };
    spec.metrics = [{ type: 'Resource', resource: { name: 'cpu', target } }];
  }
  const { behavior } = spec;
  if (behavior === undefined) return;
  const up = behavior.scaleUp ?? {};
  const down = behavior.scaleDown ?? {};
  defaultRules(up, 0, [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ]);
  defaultRules(down, undefined, [{ type: 'Percent', value: 100, periodSeconds: 15 }]);
  behavior.scaleUp = up;
  behavior.scaleDown = down;
}

function defaultRules(
  rules: Loose<ScalingRules>,
  windowSeconds: number | undefined,
  policies: NonNullable<ScalingRules['policies']>,
): void {
  if (windowSeconds !== undefined) rules.stabilizationWindowSeconds ??= windowSeconds;
  rules.selectPolicy ??= 'Max';
  if ((rules.policies ?? []).length === 0) rules.policies = policies;
}

function validate({ spec = {} }: Loose<HorizontalPodAutoscaler>): FieldError[] {
  const { minReplicas, maxReplicas = 0, scaleTargetRef = {} } = spec;
  return [
    ...unless(minReplicas === undefined || minReplicas >= 1, () =>
      invalidValue('spec.minReplicas', minReplicas, 'must be greater than or equal to 1'),
    ),
    ...unless(maxReplicas >= 1, () =>
      invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than 0'),
    ),
    ...unless(minReplicas === undefined || maxReplicas >= minReplicas, () =>
      invalidValue('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'),
    ),
    ...unless(!!scaleTargetRef.kind, () => required('spec.scaleTargetRef.kind')),
    ...unless(!!scaleTargetRef.name, () => required('spec.scaleTargetRef.name')),
    ...(spec.metrics ?? []).flatMap((metric, i) => metricErrors(metric, at('spec.metrics', i))),
    ...rulesErrors(spec.behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...rulesErrors(spec.behavior?.scaleDown, 'spec.behavior.scaleDown'),
  ];
}

const UNKNOWN = '<unknown>';

/** A share or an average per pod, with what it is of. */
function resourceText(
  name: string | undefined,
  wanted: Loose<MetricTarget> | undefined,
  now: Loose<MetricTarget> | undefined,
): string {
  if (wanted?.averageValue !== undefined)
    return `${name ?? ''}: ${now?.averageValue ?? UNKNOWN}/${wanted.averageValue}`;
  const share = wanted?.averageUtilization;
  const present = now?.averageUtilization;
  return `${name ?? ''}: ${present === undefined ? UNKNOWN : `${present}%`}/${share === undefined ? '<auto>' : `${share}%`}`;
}

/** An amount of its own, or an average over the pods. */
function amountText(
  wanted: Loose<MetricTarget> | undefined,
  now: Loose<MetricTarget> | undefined,
  isPerPod: boolean,
): string {
  if (wanted?.averageValue === undefined) return `${now?.value ?? UNKNOWN}/${wanted?.value ?? ''}`;
  return `${now?.averageValue ?? UNKNOWN}/${wanted.averageValue}${isPerPod ? '' : ' (avg)'}`;
}

function targetText(metric: Loose<MetricSpec>, status: Loose<MetricStatus> | undefined): string {
  const { resource, containerResource, pods, object, external } = metric;
  switch (metric.type) {
    case 'Resource':
      return resourceText(resource?.name, resource?.target, status?.resource?.current);
    case 'ContainerResource':
      return resourceText(
        containerResource?.name,
        containerResource?.target,
        status?.containerResource?.current,
      );
    case 'Pods':
      return amountText(pods?.target, status?.pods?.current, true);
    case 'Object':
      return amountText(object?.target, status?.object?.current, false);
    case 'External':
      return amountText(external?.target, status?.external?.current, false);
    default:
      return '<unknown type>';
  }
}

/** Present and desired amounts of the first metrics: `cpu: 12%/50%`. */
export function targetsText({ spec = {}, status = {} }: Loose<HorizontalPodAutoscaler>): string {
  const metrics = spec.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  const texts = metrics.map((metric, i) => targetText(metric, status.currentMetrics?.[i]));
  const more = texts.length - 2;
  return more > 0 ? `${texts.slice(0, 2).join(', ')} + ${more} more...` : texts.join(', ');
}

/** Columns of both versions, which differ only in how they tell their targets. */
export const hpaColumns = (targets: (hpa: Loose<HorizontalPodAutoscaler>) => string) => [
  nameColumn<HorizontalPodAutoscaler>(),
  text<HorizontalPodAutoscaler>('Reference', 'What it scales.', ({ spec }) => {
    return `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`;
  }),
  text<HorizontalPodAutoscaler>('Targets', 'Present and desired amounts of its metrics.', targets),
  text<HorizontalPodAutoscaler>('MinPods', 'Fewest replicas.', (hpa) =>
    hpa.spec?.minReplicas === undefined ? '<unset>' : String(hpa.spec.minReplicas),
  ),
  integer<HorizontalPodAutoscaler>('MaxPods', 'Most replicas.', (hpa) => hpa.spec?.maxReplicas ?? 0),
  integer<HorizontalPodAutoscaler>(
    'Replicas',
    'Present replicas.',
    (hpa) => hpa.status?.currentReplicas ?? 0,
  ),
  ageColumn<HorizontalPodAutoscaler>(),
];

/** autoscaling/v2 HorizontalPodAutoscaler, the stored version. */
export const horizontalPodAutoscalerKind = defineKind<HorizontalPodAutoscaler>(
  {
    kind: 'HorizontalPodAutoscaler',
    group: 'autoscaling',
    version: 'v2',
    plural: 'horizontalpodautoscalers',
    shortNames: ['hpa'],
    categories: ['all'],
    hasStatus: true,
    columns: hpaColumns(targetsText),
    prepareCreate: (hpa) => {
      hpa.status = { desiredReplicas: 0, currentMetrics: [] };
    },
  },
  { setDefaults, validate },
);
