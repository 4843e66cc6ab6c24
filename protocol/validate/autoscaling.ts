import type { MetricSpec, MetricTarget, ScalingRules } from '../kinds/autoscaling.ts';
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import { parseQuantity } from '../quantity.ts';
import { at, forbidden, invalidValue, notSupported, required, unless } from './field-errors.ts';

const TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];
const SELECTS = ['Disabled', 'Max', 'Min'];
const POLICY_TYPES = ['Percent', 'Pods'];
const LONGEST_WINDOW_SECONDS = 3600;
const LONGEST_PERIOD_SECONDS = 1800;

type Source = 'resource' | 'containerResource' | 'pods' | 'object' | 'external';

/** The member that holds a metric of this type. */
const memberOf = (type: string): Source => `${type.slice(0, 1).toLowerCase()}${type.slice(1)}` as Source;

/** What is wrong with one metric of an autoscaler. */
export function metricErrors(metric: Loose<MetricSpec>, path: string): FieldError[] {
  const type = metric.type ?? '';
  if (type === '') return [required(`${path}.type`, 'must specify a metric source type')];
  if (!TYPES.includes(type)) return [notSupported(`${path}.type`, type, TYPES)];
  const member = memberOf(type);
  const source = metric[member];
  const others = TYPES.map(memberOf).filter((other) => other !== member && metric[other] !== undefined);
  const surplus = others.map((other) =>
    forbidden(`${path}.${other}`, 'must populate the given metric source only'),
  );
  if (source === undefined)
    return [
      ...surplus,
      required(`${path}.${member}`, 'must populate information for the given metric source'),
    ];
  return [...surplus, ...sourceErrors(member, metric, `${path}.${member}`)];
}

function sourceErrors(member: Source, metric: Loose<MetricSpec>, path: string): FieldError[] {
  if (member === 'resource' || member === 'containerResource') {
    const source = metric[member];
    const isContainer = member === 'containerResource';
    return [
      ...unless(!!source?.name, () => required(`${path}.name`, 'must specify a resource name')),
      ...unless(!isContainer || !!metric.containerResource?.container, () =>
        required(`${path}.container`, 'must specify a container'),
      ),
      ...targetErrors(source?.target ?? {}, `${path}.target`),
      ...resourceTargetErrors(source?.target ?? {}, `${path}.target`),
    ];
  }
  const source = metric[member];
  const target = source?.target ?? {};
  const isPods = member === 'pods';
  return [
    ...unless(!!source?.metric?.name, () => required(`${path}.metric.name`, 'must specify a metric name')),
    ...targetErrors(target, `${path}.target`),
    ...unless(target.averageValue !== undefined || (!isPods && target.value !== undefined), () =>
      required(
        `${path}.target.averageValue`,
        isPods
          ? 'must specify a positive target averageValue'
          : 'must set either a target value or averageValue',
      ),
    ),
  ];
}

function resourceTargetErrors(target: Loose<MetricTarget>, path: string): FieldError[] {
  const hasShare = target.averageUtilization !== undefined;
  const hasAmount = target.averageValue !== undefined;
  if (!hasShare && !hasAmount)
    return [
      required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization'),
    ];
  return unless(!(hasShare && hasAmount), () =>
    forbidden(`${path}.averageValue`, 'may not set both a target raw value and a target utilization'),
  );
}

function targetErrors(target: Loose<MetricTarget>, path: string): FieldError[] {
  const { type = '', averageUtilization } = target;
  const types = ['Utilization', 'Value', 'AverageValue'];
  if (type === '') return [required(`${path}.type`, 'must specify a metric target type')];
  if (!types.includes(type))
    return [invalidValue(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue')];
  return [
    ...amountErrors(target.value, `${path}.value`),
    ...amountErrors(target.averageValue, `${path}.averageValue`),
    ...unless(averageUtilization === undefined || averageUtilization >= 1, () =>
      invalidValue(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0'),
    ),
  ];
}

function amountErrors(amount: string | number | undefined, path: string): FieldError[] {
  const value = amount === undefined ? 1 : (parseQuantity(amount) ?? 1);
  return unless(value > 0, () => invalidValue(path, amount, 'must be positive'));
}

/** What is wrong with the rules of one direction. */
export function rulesErrors(rules: Loose<ScalingRules> | undefined, path: string): FieldError[] {
  if (rules === undefined) return [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  const windowPath = `${path}.stabilizationWindowSeconds`;
  return [
    ...unless(window === undefined || window >= 0, () =>
      invalidValue(windowPath, window, 'must be greater than or equal to zero'),
    ),
    ...unless(window === undefined || window <= LONGEST_WINDOW_SECONDS, () =>
      invalidValue(windowPath, window, `must be less than or equal to ${LONGEST_WINDOW_SECONDS}`),
    ),
    ...unless(selectPolicy === undefined || SELECTS.includes(selectPolicy), () =>
      notSupported(`${path}.selectPolicy`, selectPolicy, SELECTS),
    ),
    ...unless(tolerance === undefined || (parseQuantity(tolerance) ?? 0) >= 0, () =>
      invalidValue(`${path}.tolerance`, tolerance, 'must be greater than or equal to 0'),
    ),
    ...unless(policies.length > 0, () => required(`${path}.policies`, 'must specify at least one Policy')),
    ...policies.flatMap((policy, i) => policyErrors(policy, at(`${path}.policies`, i))),
  ];
}

function policyErrors(
  { type = '' as never, value = 0, periodSeconds = 0 }: Loose<NonNullable<ScalingRules['policies']>[number]>,
  path: string,
): FieldError[] {
  return [
    ...unless(POLICY_TYPES.includes(type), () => notSupported(`${path}.type`, type, POLICY_TYPES)),
    ...unless(value > 0, () => invalidValue(`${path}.value`, value, 'must be greater than zero')),
    ...unless(periodSeconds > 0, () =>
      invalidValue(`${path}.periodSeconds`, periodSeconds, 'must be greater than zero'),
    ),
    ...unless(periodSeconds <= LONGEST_PERIOD_SECONDS, () =>
      invalidValue(
        `${path}.periodSeconds`,
        periodSeconds,
        `must be less than or equal to ${LONGEST_PERIOD_SECONDS}`,
      ),
    ),
  ];
}
