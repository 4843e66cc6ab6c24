import { jsonEqual } from '../json.ts';
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { LabelSelector } from '../kinds/meta.ts';
import type { Deployment, DeploymentSpec, PodTemplateSpec, ReplicaSet } from '../kinds/workloads.ts';
import { selectorMatches } from '../selector.ts';
import {
  forbidden,
  invalidEach,
  invalidShown,
  invalidValue,
  notSupported,
  required,
  shownStringMap,
  unless,
} from './field-errors.ts';
import { isEmptySelector, shownSelector, validateLabelSelector } from './label-selector.ts';
import { validateAnnotations, validateLabels } from './metadata.ts';
import { subdomainErrors } from './names.ts';
import { atMost100Percent, countOrPercent, nonNegative, shownIntOrString } from './numbers.ts';
import { validatePodSpec } from './pod-spec.ts';

/** Checks a pod template on its own. */
export function validateTemplate(template: Loose<PodTemplateSpec>, path: string): FieldError[] {
  const meta = template.metadata ?? {};
  return [
    ...(meta.name ? invalidEach(`${path}.metadata.name`, meta.name, subdomainErrors(meta.name)) : []),
    ...validateLabels(meta.labels, `${path}.metadata.labels`),
    ...validateAnnotations(meta.annotations, `${path}.metadata.annotations`),
    ...validatePodSpec(template.spec ?? {}, `${path}.spec`),
    ...unless((template.spec?.ephemeralContainers ?? []).length === 0, () =>
      forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'),
    ),
  ];
}

/** Checks a template whose pods must be selected by `selector` and must restart always. */
export function validateOwnedTemplate(
  template: Loose<PodTemplateSpec> | undefined,
  selector: Loose<LabelSelector> | undefined,
  path: string,
  owner = 'ReplicaSet',
): FieldError[] {
  const labels = template?.metadata?.labels;
  const { restartPolicy, activeDeadlineSeconds } = template?.spec ?? {};
  const selects =
    selector === undefined ||
    isEmptySelector(selector) ||
    selectorMatches(selector as LabelSelector, (labels ?? {}) as Record<string, string>);
  return [
    ...unless(selects, () =>
      invalidShown(
        `${path}.metadata.labels`,
        shownStringMap(labels),
        '`selector` does not match template `labels`',
      ),
    ),
    ...validateTemplate(template ?? {}, path),
    ...unless(!restartPolicy || restartPolicy === 'Always', () =>
      notSupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always']),
    ),
    ...unless(activeDeadlineSeconds === undefined, () =>
      forbidden(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${owner} is not Supported`),
    ),
  ];
}

/** Checks a workload's selector: it must be there and select something. */
export function selectorErrors(
  selector: Loose<LabelSelector> | undefined,
  path: string,
  owner = 'deployment',
): FieldError[] {
  if (selector === undefined) return [required(path)];
  return [
    ...validateLabelSelector(selector, path),
    ...unless(!isEmptySelector(selector), () =>
      invalidShown(path, shownSelector(selector), `empty selector is invalid for ${owner}`),
    ),
  ];
}

/** Checks apps/v1 Deployment. Never throws. */
export function validateDeployment(deployment: Loose<Deployment>): FieldError[] {
  const spec = deployment.spec ?? {};
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
  return [
    ...nonNegative('spec.replicas', spec.replicas),
    ...selectorErrors(spec.selector, 'spec.selector'),
    ...validateOwnedTemplate(spec.template, spec.selector, 'spec.template'),
    ...strategyErrors(spec.strategy ?? {}, 'spec.strategy'),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.progressDeadlineSeconds', deadline),
    ...unless(deadline === undefined || deadline > minReadySeconds, () =>
      invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'),
    ),
  ];
}

function strategyErrors(
  strategy: Loose<NonNullable<DeploymentSpec['strategy']>>,
  path: string,
): FieldError[] {
  switch (strategy.type) {
    case 'Recreate':
      return unless(strategy.rollingUpdate === undefined, () =>
        forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"),
      );
    case 'RollingUpdate':
      return rollingErrors(strategy.rollingUpdate ?? {}, `${path}.rollingUpdate`);
    default:
      return [notSupported(`${path}.type`, strategy.type, ['Recreate', 'RollingUpdate'])];
  }
}

function rollingErrors(
  rolling: NonNullable<Loose<NonNullable<DeploymentSpec['strategy']>>['rollingUpdate']>,
  path: string,
): FieldError[] {
  const { maxUnavailable = '25%', maxSurge = '25%' } = rolling;
  const errors = [
    ...countOrPercent(`${path}.maxUnavailable`, maxUnavailable),
    ...countOrPercent(`${path}.maxSurge`, maxSurge),
  ];
  const isZero = (value: number | string): boolean => value === 0 || value === '0%';
  if (isZero(maxUnavailable) && isZero(maxSurge))
    errors.push(
      invalidShown(
        `${path}.maxUnavailable`,
        shownIntOrString(maxUnavailable),
        'may not be 0 when `maxSurge` is 0',
      ),
    );
  errors.push(...atMost100Percent(`${path}.maxUnavailable`, maxUnavailable));
  return errors;
}

/** Checks apps/v1 ReplicaSet. Never throws. */
export function validateReplicaSet(replicaSet: Loose<ReplicaSet>): FieldError[] {
  const spec = replicaSet.spec ?? {};
  return [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...selectorErrors(spec.selector, 'spec.selector'),
    ...(spec.template === undefined
      ? [required('spec.template')]
      : validateOwnedTemplate(spec.template, spec.selector, 'spec.template')),
  ];
}

/** The selector of a workload never changes: pods would be orphaned silently. */
export function validateSelectorUpdate(
  next: { spec?: { selector?: Loose<LabelSelector> | undefined } | undefined },
  previous: { spec?: { selector?: Loose<LabelSelector> | undefined } | undefined },
): FieldError[] {
  return unless(jsonEqual(next.spec?.selector, previous.spec?.selector), () =>
    invalidShown('spec.selector', shownSelector(next.spec?.selector), 'field is immutable'),
  );
}

/**
 * Checks the counts of a workload's status: none below zero, none of the named ones above `replicas` (but for the
 * unavailable ones, which count pods that are not there).
 */
export function validateReplicaCounts<K extends string>(
  status: { readonly replicas?: number | undefined } & { readonly [P in K]?: number | undefined },
  names: readonly K[],
): FieldError[] {
  const { replicas = 0 } = status;
  const bounded = names.filter((name) => name !== 'unavailableReplicas');
  return [
    ...nonNegative('status.replicas', status.replicas),
    ...names.flatMap((name) => nonNegative(`status.${name}`, status[name])),
    ...bounded.flatMap((name) => {
      const count: number = status[name] ?? 0;
      return unless(count <= replicas, () =>
        invalidValue(`status.${name}`, count, 'cannot be greater than status.replicas'),
      );
    }),
  ];
}
