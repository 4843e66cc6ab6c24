import { defaultTemplate } from '../defaults/workloads.ts';
import { ageSince } from '../human-duration.ts';
import { ageColumn, integer, nameColumn, orNone, text } from '../print/cells.ts';
import { templateColumns } from '../print/workload-columns.ts';
import { cronError, isTimeZone } from '../validate/cron.ts';
import { invalidValue, notSupported, required, unless } from '../validate/field-errors.ts';
import { validateJobSpec } from '../validate/job.ts';
import { nonNegative } from '../validate/numbers.ts';
import { templateWarnings } from '../validate/pod-warnings.ts';
import type { CronJob } from './batch.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';

/** A job's name is the cron job's and eleven characters more. */
const MAX_NAME = 52;
const POLICIES = ['Allow', 'Forbid', 'Replace'];

function setDefaults(cron: Loose<CronJob>): void {
  cron.spec ??= {};
  const { spec } = cron;
  spec.concurrencyPolicy ||= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  spec.jobTemplate ??= {};
  spec.jobTemplate.spec ??= {};
  spec.jobTemplate.spec.template ??= {};
  defaultTemplate(spec.jobTemplate.spec.template);
}

function scheduleErrors(schedule: string | undefined): FieldError[] {
  if (!schedule) return [required('spec.schedule')];
  if (schedule.includes('TZ=')) {
    const why = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
    return [invalidValue('spec.schedule', schedule, why)];
  }
  const error = cronError(schedule);
  return error === undefined ? [] : [invalidValue('spec.schedule', schedule, error)];
}

function zoneErrors(zone: string | undefined): FieldError[] {
  const field = 'spec.timeZone';
  if (zone === undefined) return [];
  if (zone === '') return [invalidValue(field, zone, 'timeZone must be nil or non-empty string')];
  if (zone.toLowerCase() === 'local') {
    const why = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    return [invalidValue(field, zone, why)];
  }
  return unless(isTimeZone(zone), () => invalidValue(field, zone, `unknown time zone ${zone}`));
}

function validate(cron: Loose<CronJob>): FieldError[] {
  const spec = cron.spec ?? {};
  const name = cron.metadata?.name ?? '';
  return [
    ...scheduleErrors(spec.schedule),
    ...zoneErrors(spec.timeZone),
    ...nonNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds),
    ...unless(POLICIES.includes(spec.concurrencyPolicy ?? ''), () =>
      notSupported('spec.concurrencyPolicy', spec.concurrencyPolicy, POLICIES),
    ),
    ...validateJobSpec(spec.jobTemplate?.spec ?? {}, 'spec.jobTemplate.spec'),
    ...nonNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
    ...nonNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
    ...unless(name.length <= MAX_NAME, () =>
      invalidValue('metadata.name', name, `must be no more than ${MAX_NAME} characters`),
    ),
  ];
}

/** batch/v1 CronJob. */
export const cronJobKind = defineKind<CronJob>(
  {
    kind: 'CronJob',
    group: 'batch',
    plural: 'cronjobs',
    shortNames: ['cj'],
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
    warnings: (object, isNew) => {
      const { metadata = {}, spec = {} } = object as Loose<CronJob>;
      const { template } = spec.jobTemplate?.spec ?? {};
      return templateWarnings(isNew ? metadata.name : undefined, template, 'spec.jobTemplate.spec.template');
    },
    columns: [
      nameColumn(),
      text('Schedule', 'When jobs are made.', (cron) => cron.spec?.schedule ?? ''),
      text('Timezone', 'Zone of the schedule.', (cron) => orNone(cron.spec?.timeZone)),
      text('Suspend', 'True while no jobs are made.', (cron) =>
        cron.spec?.suspend === true ? 'True' : 'False',
      ),
      integer('Active', 'Jobs that run.', (cron) => (cron.status?.active ?? []).length),
      text('Last Schedule', 'Time since a job was made.', (cron, { nowMs }) => {
        const last = cron.status?.lastScheduleTime;
        return last === undefined ? '<none>' : ageSince(last, nowMs);
      }),
      ageColumn(),
      ...templateColumns<CronJob>((cron) => cron.spec?.jobTemplate?.spec),
    ],
    prepareCreate: (cron) => {
      cron.status = {};
    },
  },
  { setDefaults, validate },
);
