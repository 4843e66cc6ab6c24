import * as assert from 'uvu/assert';
import { planCronJob } from '../../../../hub/decide/cron-job.ts';
import type { CronJob, CronJobSpec, Job } from '../../../../protocol/kinds/batch.ts';
import { onceTemplate, plainJob } from '../../../build/jobs.ts';
import { spec } from '../../../spec.ts';

const DUE = Date.parse('2026-01-01T00:10:00Z');
const due = { dueMs: DUE, isManyMissed: false, missedMs: undefined };
const nameOf = (ms: number): string => `c-${ms / 60_000}`;

const cron = (parts: Partial<CronJobSpec> = {}, active: readonly string[] = []): CronJob => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: {
    name: 'c',
    namespace: 'default',
    uid: 'c',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { schedule: '*/10 * * * *', jobTemplate: { spec: { template: onceTemplate() } }, ...parts },
  status: { active: active.map((uid) => ({ uid, name: uid })) },
});

function job(
  name: string,
  outcome?: 'Complete' | 'Failed',
  parts: { at?: string; byHand?: boolean; deleting?: boolean } = {},
): Job {
  const { at = '2026-01-01T00:01:00Z', byHand = false, deleting = false } = parts;
  const conditions = outcome === undefined ? [] : [{ type: outcome, status: 'True' as const }];
  const made = plainJob(
    {},
    { startTime: at, conditions, ...(outcome === 'Complete' ? { completionTime: at } : {}) },
  );
  const annotations = byHand ? { 'cronjob.kubernetes.io/instantiate': 'manual' } : {};
  const leaving = deleting ? { deletionTimestamp: at } : {};
  return { ...made, metadata: { ...made.metadata, name, uid: name, annotations, ...leaving } };
}

spec('planCronJob', (it) => {
  const names = (jobs: readonly Job[]): string[] => jobs.map((j) => j.metadata.name);
  const cases: readonly [string, CronJob, readonly Job[], number | undefined, string[], string[]][] = [
    ['starts what is due', cron(), [], DUE, [], []],
    ['starts beside one that runs', cron(), [job('a')], DUE, [], ['a']],
    [
      'not while one runs, when forbidden',
      cron({ concurrencyPolicy: 'Forbid' }),
      [job('a')],
      undefined,
      [],
      ['a'],
    ],
    ['when that one has ended', cron({ concurrencyPolicy: 'Forbid' }), [job('a', 'Complete')], DUE, [], []],
    [
      'when that one is being deleted',
      cron({ concurrencyPolicy: 'Forbid' }),
      [job('a', undefined, { deleting: true })],
      DUE,
      [],
      [],
    ],
    ['in the place of one that runs', cron({ concurrencyPolicy: 'Replace' }), [job('a')], DUE, ['a'], ['a']],
    [
      'without touching what somebody made by hand',
      cron({ concurrencyPolicy: 'Replace' }),
      [job('a', undefined, { byHand: true })],
      DUE,
      [],
      [],
    ],
    ['nothing when suspended', cron({ suspend: true }), [], undefined, [], []],
    [
      'takes up what an earlier pass made',
      cron({ concurrencyPolicy: 'Forbid' }),
      [job(nameOf(DUE))],
      DUE,
      [],
      [nameOf(DUE)],
    ],
  ];
  for (const [name, c, jobs, startMs, replace, active] of cases)
    it(name, () => {
      const plan = planCronJob(c, jobs, due, nameOf);
      assert.equal([plan.startMs, names(plan.replace), names(plan.active)], [startMs, replace, active]);
    });

  it('forgets the oldest beyond the history limits, of each outcome', () => {
    const jobs = [1, 2, 3].flatMap((n) => [
      job(`good${n}`, 'Complete', { at: `2026-01-01T00:0${n}:00Z` }),
      job(`bad${n}`, 'Failed', { at: `2026-01-01T00:0${n}:00Z` }),
    ]);
    const plan = planCronJob(
      cron({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 }),
      jobs,
      undefined,
      nameOf,
    );
    assert.equal(names(plan.forget), ['good1', 'bad1', 'bad2', 'bad3']);
    assert.is(plan.lastSuccessfulTime, '2026-01-01T00:03:00Z');
  });

  it('tells of ends, strangers and losses', () => {
    const jobs = [job('done', 'Complete'), job('strange'), job('mine', undefined, { byHand: true })];
    const plan = planCronJob(cron({}, ['done', 'lost']), jobs, undefined, nameOf);
    assert.equal(
      plan.notes.map((n) => `${n.reason}: ${n.message}`),
      [
        'SawCompletedJob: Saw completed job: done, condition: Complete',
        'UnexpectedJob: Saw a job that the controller did not create or forgot: strange',
        'MissingJob: Active job went missing: lost',
      ],
    );
  });
});
