import { defaultTemplate } from '../defaults/workloads.ts';
import { ageSince, humanDuration } from '../human-duration.ts';
import { jsonEqual } from '../json.ts';
import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { templateColumns } from '../print/workload-columns.ts';
import { selectorMatches } from '../selector.ts';
import { invalidShown, invalidValue, required, shownStringMap, unless } from '../validate/field-errors.ts';
import { validateJobSpec } from '../validate/job.ts';
import { validateLabelSelector } from '../validate/label-selector.ts';
import { labelNameErrors } from '../validate/names.ts';
import { nonNegative } from '../validate/numbers.ts';
import { templateWarnings } from '../validate/pod-warnings.ts';
import type { Job, JobSpec } from './batch.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { LabelSelector } from './meta.ts';
import type { PodTemplateSpec } from './workloads.ts';

const MAX_INT32 = 2_147_483_647;

function setDefaults(job: Loose<Job>): void {
  job.spec ??= {};
  const { spec } = job;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : MAX_INT32;
  const labels = spec.template?.metadata?.labels;
  if (
    labels !== undefined &&
    job.metadata !== undefined &&
    Object.keys(job.metadata.labels ?? {}).length === 0
  )
    job.metadata.labels = { ...labels };
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed';
  spec.manualSelector ??= false;
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const condition of rule.onPodConditions ?? []) condition.status ||= 'True';
  spec.template ??= {};
  defaultTemplate(spec.template);
}

/** Gives the pods of a job labels that no other job's pods have, and selects them. */
function generateSelector(job: Loose<Job>): void {
  job.spec ??= {};
  const { spec } = job;
  if (spec.manualSelector === true) return;
  const { uid = '', name = '' } = job.metadata ?? {};
  spec.template ??= {};
  spec.template.metadata ??= {};
  const { metadata } = spec.template;
  metadata.labels = {
    ...metadata.labels,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
  spec.selector ??= {};
  spec.selector.matchLabels = { ...spec.selector.matchLabels, 'batch.kubernetes.io/controller-uid': uid };
}

/** The pods of an Indexed job are named by their index, also as hosts. */
function hostnameErrors({ metadata, spec = {} }: Loose<Job>): FieldError[] {
  const name = metadata?.name ?? '';
  const { completionMode, completions = 0 } = spec;
  const last = `${name}-${completions - 1}`;
  const fits = completionMode !== 'Indexed' || completions === 0 || labelNameErrors(last).length === 0;
  const why = `will not able to create pod with invalid DNS label: ${last}`;
  return unless(fits, () => invalidValue('metadata.name', name, why));
}

function validate(job: Loose<Job>): FieldError[] {
  const { spec = {} } = job;
  const labels = spec.template?.metadata?.labels;
  const { selector } = spec;
  const selects =
    selector === undefined ||
    selectorMatches(selector as LabelSelector, (labels ?? {}) as Record<string, string>);
  return [
    ...validateJobSpec(spec, 'spec'),
    ...hostnameErrors(job),
    ...(selector === undefined
      ? [required('spec.selector')]
      : validateLabelSelector(selector, 'spec.selector')),
    ...unless(selects, () =>
      invalidShown(
        'spec.template.metadata.labels',
        shownStringMap(labels),
        '`selector` does not match template `labels`',
      ),
    ),
  ];
}

const IMMUTABLE = [
  'selector',
  'completionMode',
  'podFailurePolicy',
  'backoffLimitPerIndex',
  'managedBy',
  'successPolicy',
] as const;

function validateUpdate(next: Loose<Job>, previous: Loose<Job>): FieldError[] {
  const after = next.spec ?? {};
  const before = previous.spec ?? {};
  const fixed = (name: keyof JobSpec): FieldError[] =>
    unless(jsonEqual(after[name], before[name]), () =>
      invalidValue(`spec.${name}`, after[name], 'field is immutable'),
    );
  const elastic = after.completionMode === 'Indexed' && after.completions === after.parallelism;
  return [
    ...(elastic ? [] : fixed('completions')),
    ...IMMUTABLE.flatMap(fixed),
    ...templateErrors(next, previous),
  ];
}

/** Where the pods of a job that has not started yet will run is still open; nothing else of them is. */
function templateErrors(next: Loose<Job>, previous: Loose<Job>): FieldError[] {
  const [after, before] = [next.spec?.template, previous.spec?.template];
  const isOpen = previous.spec?.suspend === true && previous.status?.startTime === undefined;
  const same = isOpen ? jsonEqual(fixedPart(after), fixedPart(before)) : jsonEqual(after, before);
  return unless(same, () => invalidValue('spec.template', after, 'field is immutable'));
}

function fixedPart(template: Loose<PodTemplateSpec> | undefined): unknown {
  const { affinity = {}, ...spec } = template?.spec ?? {};
  const others = { podAffinity: affinity.podAffinity, podAntiAffinity: affinity.podAntiAffinity };
  const open = { nodeSelector: 0, tolerations: 0, schedulingGates: 0 };
  return { ...spec, ...open, ...others };
}

/** An update that leaves out what the hub generated keeps it. */
function prepareUpdate(next: Loose<Job>, previous: Loose<Job>): void {
  if (next.spec === undefined || previous.spec?.manualSelector === true) return;
  next.spec.selector ??= structuredClone(previous.spec?.selector);
  if (next.spec.selector === undefined) delete next.spec.selector;
}

function validateStatusUpdate({ status = {} }: Loose<Job>): FieldError[] {
  const counts = ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const;
  return counts.flatMap((name) => nonNegative(`status.${name}`, status[name]));
}

function statusText(job: Loose<Job>): string {
  const has = (type: string): boolean =>
    (job.status?.conditions ?? []).some((c) => c.type === type && c.status === 'True');
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (job.metadata?.deletionTimestamp !== undefined) return 'Terminating';
  if (has('Suspended')) return 'Suspended';
  return has('FailureTarget') ? 'FailureTarget' : 'Running';
}

function completionsText({ spec = {}, status = {} }: Loose<Job>): string {
  const { succeeded = 0 } = status;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const { parallelism = 0 } = spec;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText({ status = {} }: Loose<Job>, nowMs: number): string {
  if (status.startTime === undefined) return '';
  if (status.completionTime === undefined) return ageSince(status.startTime, nowMs);
  return humanDuration(Date.parse(status.completionTime) - Date.parse(status.startTime));
}

/** batch/v1 Job. */
export const jobKind = defineKind<Job>(
  {
    kind: 'Job',
    group: 'batch',
    plural: 'jobs',
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
    warnings: (object, isNew) => {
      const { metadata = {}, spec = {} } = object as Loose<Job>;
      return templateWarnings(isNew ? metadata.name : undefined, spec.template);
    },
    columns: [
      nameColumn(),
      text('Status', 'Whether it runs, has ended, or waits.', statusText),
      text('Completions', 'Pods that succeeded, of those asked for.', completionsText),
      text('Duration', 'Time from its start to its end.', (job, { nowMs }) => durationText(job, nowMs)),
      ageColumn(),
      ...templateColumns<Job>((job) => job.spec),
    ],
    fieldSelectors: { 'status.successful': (job) => String(job.status?.succeeded ?? 0) },
    prepareCreate: (job) => {
      job.status = {};
    },
    completeCreate: (job) => {
      generateSelector(job as Loose<Job>);
      // A job without labels of its own has those of its pods.
      setDefaults(job as Loose<Job>);
    },
  },
  { setDefaults, validate, validateUpdate, validateStatusUpdate, prepareUpdate },
);
