import type { JobSpec, PodFailureRule, SuccessRule } from '../kinds/batch.ts';
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import { at, duplicate, invalidValue, notSupported, required, unless } from './field-errors.ts';
import { nonNegative } from './numbers.ts';
import { validateTemplate } from './workloads.ts';

const ACTIONS = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const OPERATORS = ['In', 'NotIn'];
const STATUSES = ['False', 'True', 'Unknown'];
/** An Indexed job's bookkeeping is a list of indexes: these keep it small. */
const MAX_INDEXED_PARALLELISM = 100_000;
const MAX_FAILED_INDEXES = 100_000;

/** Checks the parts of a job that a CronJob's template has too. Never throws. */
export function validateJobSpec(spec: Loose<JobSpec>, path: string): FieldError[] {
  const policy = spec.template?.spec?.restartPolicy;
  const counts = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const;
  return [
    ...counts.flatMap((name) => nonNegative(`${path}.${name}`, spec[name])),
    ...modeErrors(spec, path),
    ...(spec.podFailurePolicy === undefined ? [] : failurePolicyErrors(spec, `${path}.podFailurePolicy`)),
    ...(spec.successPolicy === undefined ? [] : successPolicyErrors(spec, `${path}.successPolicy`)),
    ...replacementErrors(spec, `${path}.podReplacementPolicy`),
    ...validateTemplate(spec.template ?? {}, `${path}.template`),
    ...unless(policy === 'OnFailure' || policy === 'Never', () =>
      required(`${path}.template.spec.restartPolicy`, 'valid values: "OnFailure", "Never"'),
    ),
    ...unless(spec.podFailurePolicy === undefined || policy !== 'OnFailure', () =>
      invalidValue(
        `${path}.template.spec.restartPolicy`,
        policy,
        'only "Never" is supported when podFailurePolicy is specified',
      ),
    ),
  ];
}

function modeErrors(spec: Loose<JobSpec>, path: string): FieldError[] {
  const { completionMode: mode, completions, parallelism = 0, maxFailedIndexes, backoffLimitPerIndex } = spec;
  const errors = unless(mode === undefined || mode === 'NonIndexed' || mode === 'Indexed', () =>
    notSupported(`${path}.completionMode`, mode, ['Indexed', 'NonIndexed']),
  );
  if (mode === 'Indexed') {
    const tooWide = `must be less than or equal to ${MAX_INDEXED_PARALLELISM} when completion mode is Indexed`;
    const most = Math.min(completions ?? MAX_FAILED_INDEXES, MAX_FAILED_INDEXES);
    const tooMany = most === completions ? 'completions' : String(most);
    errors.push(
      ...unless(completions !== undefined, () =>
        required(`${path}.completions`, 'when completion mode is Indexed'),
      ),
      ...unless(parallelism <= MAX_INDEXED_PARALLELISM, () =>
        invalidValue(`${path}.parallelism`, parallelism, tooWide),
      ),
      ...unless(maxFailedIndexes === undefined || maxFailedIndexes <= most, () =>
        invalidValue(
          `${path}.maxFailedIndexes`,
          maxFailedIndexes,
          `must be less than or equal to ${tooMany}`,
        ),
      ),
    );
  } else {
    for (const name of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const)
      if (spec[name] !== undefined)
        errors.push(invalidValue(`${path}.${name}`, spec[name], 'requires indexed completion mode'));
  }
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined)
    errors.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'));
  return errors;
}

/** A failed pod counts only when it has ended, where rules look at how it ended. */
function replacementErrors(spec: Loose<JobSpec>, field: string): FieldError[] {
  const allowed = spec.podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed'];
  const { podReplacementPolicy: policy } = spec;
  return unless(policy === undefined || allowed.includes(policy), () => notSupported(field, policy, allowed));
}

/** Kubernetes shows no value where the value is a whole rule. */
function invalidRule(field: string, why: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${why}` };
}

function failurePolicyErrors(spec: Loose<JobSpec>, path: string): FieldError[] {
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = new Set([...containers, ...initContainers].map((c) => c.name));
  return (spec.podFailurePolicy?.rules ?? []).flatMap((rule, i) => {
    const rulePath = at(`${path}.rules`, i);
    const errors = actionErrors(rule, spec, `${rulePath}.action`);
    const { onExitCodes, onPodConditions = [] } = rule;
    if (onExitCodes !== undefined)
      errors.push(...exitCodeErrors(onExitCodes, names, `${rulePath}.onExitCodes`));
    for (const [j, { type, status }] of onPodConditions.entries()) {
      const field = at(`${rulePath}.onPodConditions`, j);
      if (!type) errors.push(required(`${field}.type`));
      if (status && !STATUSES.includes(status))
        errors.push(notSupported(`${field}.status`, status, STATUSES));
    }
    const kinds = Number(onExitCodes !== undefined) + Number(onPodConditions.length > 0);
    if (kinds === 2)
      errors.push(invalidRule(rulePath, 'specifying both OnExitCodes and OnPodConditions is not supported'));
    if (kinds === 0)
      errors.push(invalidRule(rulePath, 'specifying one of OnExitCodes and OnPodConditions is required'));
    return errors;
  });
}

function actionErrors({ action }: Loose<PodFailureRule>, spec: Loose<JobSpec>, field: string): FieldError[] {
  if (!action) return [required(field, `valid values: [${ACTIONS.map((a) => JSON.stringify(a)).join(' ')}]`)];
  if (!ACTIONS.includes(action)) return [notSupported(field, action, ACTIONS)];
  return unless(action !== 'FailIndex' || spec.backoffLimitPerIndex !== undefined, () =>
    invalidValue(field, action, 'requires the backoffLimitPerIndex to be set'),
  );
}

function exitCodeErrors(
  { operator, containerName, values = [] }: NonNullable<Loose<PodFailureRule>['onExitCodes']>,
  names: ReadonlySet<string | undefined>,
  path: string,
): FieldError[] {
  const sorted = values.every((value, i) => i === 0 || value >= (values[i - 1] ?? value));
  return [
    ...unless(OPERATORS.includes(operator ?? ''), () =>
      notSupported(`${path}.operator`, operator, OPERATORS),
    ),
    ...unless(containerName === undefined || names.has(containerName), () =>
      invalidValue(
        `${path}.containerName`,
        containerName,
        'must be one of the container or initContainer names in the pod template',
      ),
    ),
    ...unless(values.length > 0, () =>
      invalidValue(`${path}.values`, values, 'at least one value is required'),
    ),
    ...values.flatMap((value, i) => [
      ...unless(operator !== 'In' || value !== 0, () =>
        invalidValue(at(`${path}.values`, i), value, 'must not be 0 for the In operator'),
      ),
      ...unless(values.indexOf(value) === i, () => duplicate(at(`${path}.values`, i), value)),
    ]),
    ...unless(sorted, () => invalidValue(`${path}.values`, values, 'must be ordered')),
  ];
}

function successPolicyErrors(spec: Loose<JobSpec>, path: string): FieldError[] {
  const rules = spec.successPolicy?.rules ?? [];
  if (spec.completionMode !== 'Indexed') return [invalidRule(path, 'requires indexed completion mode')];
  if (rules.length === 0)
    return [
      required(`${path}.rules`, 'at least one rules must be specified when the successPolicy is specified'),
    ];
  return rules.flatMap((rule, i) => successRuleErrors(rule, spec.completions ?? 0, at(`${path}.rules`, i)));
}

function successRuleErrors(rule: Loose<SuccessRule>, completions: number, path: string): FieldError[] {
  const { succeededCount: count, succeededIndexes: indexes } = rule;
  if (count === undefined && indexes === undefined)
    return [required(path, 'at least one of succeededCount or succeededIndexes must be specified')];
  const wrong = indexes === undefined ? undefined : indexListError(indexes, completions);
  return [
    ...nonNegative(`${path}.succeededCount`, count),
    ...unless(count === undefined || count <= completions, () =>
      invalidValue(
        `${path}.succeededCount`,
        count,
        `must be less than or equal to ${completions} (the number of specified completions)`,
      ),
    ),
    ...unless(wrong === undefined, () =>
      invalidValue(`${path}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${wrong}`),
    ),
  ];
}

function indexListError(text: string, completions: number): string | undefined {
  let above = -1;
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) return `cannot convert string to integer for index: ${JSON.stringify(part)}`;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last >= completions) return `too large index: ${JSON.stringify(String(last))}`;
    if (first <= above || last < first) return `non-increasing order, previous: ${above}, current: ${first}`;
    above = last;
  }
  return undefined;
}
