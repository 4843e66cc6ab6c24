import { ageColumn, integer, nameColumn, text } from '../print/cells.ts';
import { at, invalidValue, notSupported, required, unless } from '../validate/field-errors.ts';
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

const TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];
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
  ];
}

type Source = 'resource' | 'containerResource' | 'pods' | 'object' | 'external';

/** The member that holds a metric of this type. */
const memberOf = (type: string): Source => `${type.slice(0, 1).toLowerCase()}${type.slice(1)}` as Source;

function metricErrors(metric: Loose<MetricSpec>, path: string): FieldError[] {
  const type = metric.type ?? '';
  if (type === '') return [required(`${path}.type`, 'must specify a metric source type')];
  if (!TYPES.includes(type)) return [notSupported(`${path}.type`, type, TYPES)];
  const member = memberOf(type);
  const source = metric[member];
  if (source === undefined)
    return [required(`${path}.${member}`, 'must populate information for the given metric source')];
  const name = 'metric' in source ? source.metric?.name : 'name' in source ? source.name : undefined;
  const nameField = type.endsWith('Resource') ? 'name' : 'metric.name';
  return [
    ...unless(!!name, () => required(`${path}.${member}.${nameField}`, 'must specify a resource name')),
    ...targetErrors(source.target ?? {}, `${path}.${member}.target`),
  ];
}

function targetErrors(target: Loose<MetricTarget>, path: string): FieldError[] {
  const { type = '', averageUtilization } = target;
  const types = ['Utilization', 'Value', 'AverageValue'];
  if (type === '') return [required(`${path}.type`, 'must specify a metric target type')];
  if (!types.includes(type))
    return [invalidValue(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue')];
  return unless(averageUtilization === undefined || averageUtilization >= 1, () =>
    invalidValue(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0'),
  );
}

function amountText(amount: Loose<MetricTarget> | undefined): string {
  if (amount?.averageUtilization !== undefined) return `${amount.averageUtilization}%`;
  const text = amount?.averageValue ?? amount?.value ?? '<unknown>';
  return amount?.averageValue !== undefined ? `${text} (avg)` : text;
}

function targetText(metric: Loose<MetricSpec>, status: Loose<MetricStatus> | undefined): string {
  const member = memberOf(metric.type ?? 'Resource');
  const source = metric[member];
  const current = status?.[member]?.current;
  // A share of a request is shown as a share; the measured amount beside it is not.
  const wanted = source?.target;
  const now =
    wanted?.averageUtilization !== undefined && current !== undefined
      ? amountText({ averageUtilization: current.averageUtilization })
      : amountText(current);
  const pair = `${now}/${amountText(wanted)}`;
  if (member === 'resource') return `${metric.resource?.name ?? ''}: ${pair}`;
  return member === 'containerResource' ? `${metric.containerResource?.name ?? ''}: ${pair}` : pair;
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
