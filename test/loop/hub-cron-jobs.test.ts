import * as assert from 'uvu/assert';
import { HubWorld } from '../build/hub-world.ts';
import { createCronJob, endPod, eventsOf, onceTemplate, runningOf } from '../build/jobs.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1, 0, 2);
const jobs = (world: HubWorld): string[] =>
  world.store.list('Job', 'default').map((job) => job.metadata.name);
const status = (world: HubWorld) => world.store.get('CronJob', 'default', 'tick')?.status;
const nameAt = (iso: string): string => `tick-${Date.parse(iso) / MINUTE}`;

spec(
  'the cron job controller',
  (it) => {
    it('starts a job when its minute comes, follows it, and needs no alarm without cron jobs', async () => {
      const world = await HubWorld.start({ clock: new ManualClock(START) });
      const devices = await world.devices('worker-1');
      assert.not.ok(world.alarm.isSet);
      await createCronJob(world, 'tick', { timeZone: 'Europe/Berlin' });
      await world.until(() => world.alarm.isSet);
      await world.until(() => jobs(world).length === 1, 5_000);
      assert.equal(jobs(world), [nameAt('2026-01-01T00:05:00Z')]);
      const [job] = world.store.list('Job', 'default');
      assert.is(
        job?.metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'],
        '2026-01-01T01:05:00+01:00',
      );
      await world.until(() => status(world)?.active?.length === 1);
      assert.is(status(world)?.lastScheduleTime, '2026-01-01T00:05:00Z');
      await world.until(() => runningOf(world, job?.metadata.name ?? '').length === 1);
      for (const pod of runningOf(world, job?.metadata.name ?? '')) endPod(devices, pod);
      await world.until(() => status(world)?.lastSuccessfulTime !== undefined);
      assert.is(status(world)?.active, undefined);
      await world.until(() =>
        eventsOf(world, 'tick').some((e) =>
          /^SawCompletedJob: Saw completed job: tick-\d+, condition: Complete/.test(e),
        ),
      );
      await world.store.modify('CronJob', 'default', 'tick', (draft) => {
        draft.spec.suspend = true;
        return true;
      });
      await world.until(() => !world.alarm.isSet);
      await world.stop();
    });

    it('keeps to its concurrency policy', async () => {
      const world = await HubWorld.start({ clock: new ManualClock(START) });
      const devices = await world.devices('worker-1');
      await createCronJob(world, 'tick', { schedule: '* * * * *', concurrencyPolicy: 'Forbid' });
      await world.until(() => jobs(world).length === 1, 5_000);
      const [first = ''] = jobs(world);
      await world.until(() => runningOf(world, first).length === 1);
      await world.until(() => eventsOf(world, 'tick').some((e) => e.startsWith('JobAlreadyActive')), 5_000);
      await world.clock.advance(3 * MINUTE);
      assert.equal(jobs(world), [first]);
      const setPolicy = (concurrencyPolicy: 'Replace' | 'Allow'): Promise<unknown> =>
        world.store.modify('CronJob', 'default', 'tick', (draft) => {
          draft.spec.concurrencyPolicy = concurrencyPolicy;
          return true;
        });
      await setPolicy('Replace');
      await world.until(() => jobs(world).length === 1 && !jobs(world).includes(first), 1_000);
      const [second = ''] = jobs(world);
      await setPolicy('Allow');
      await world.until(() => jobs(world).length === 2, 5_000);
      assert.ok(jobs(world).includes(second));
      for (const job of jobs(world)) {
        await world.until(() => runningOf(world, job).length === 1, 50);
        for (const pod of runningOf(world, job)) endPod(devices, pod);
      }
      await world.stop();
    });

    it('never starts a time twice when the clock is set back, and only the latest when it is set forward', async () => {
      const world = await HubWorld.start({ clock: new ManualClock(START) });
      await createCronJob(world, 'tick');
      await world.until(() => jobs(world).length === 1, 5_000);
      world.clock.jumpWall(Date.UTC(2025, 11, 31, 23, 0));
      await world.clock.advance(30 * MINUTE);
      assert.is(jobs(world).length, 1);
      world.clock.jumpWall(Date.UTC(2026, 0, 2, 0, 1));
      await world.until(() => jobs(world).length === 2, 5_000);
      assert.ok(jobs(world).includes(nameAt('2026-01-02T00:00:00Z')));
      await world.until(() => eventsOf(world, 'tick').some((e) => e.startsWith('TooManyMissedTimes')));
      await world.stop();
    });

    it('makes up for what a hub that was off has missed, within the deadline', async () => {
      const world = await HubWorld.start({ clock: new ManualClock(START) });
      await createCronJob(world, 'tick');
      await createCronJob(world, 'strict', { schedule: '0 0 * * *', startingDeadlineSeconds: 60 });
      await world.until(() => world.alarm.isSet);
      await world.stop(true);
      const clock = new ManualClock(Date.UTC(2026, 0, 2, 0, 7));
      const after = await HubWorld.start({ directory: world.directory, clock });
      await after.until(() => jobs(after).length === 1);
      assert.equal(jobs(after), [nameAt('2026-01-02T00:05:00Z')]);
      await after.until(() => eventsOf(after, 'strict').some((e) => e.startsWith('MissSchedule')));
      await after.stop();
    });

    it('keeps as many ended jobs as it is told', async () => {
      const world = await HubWorld.start({ clock: new ManualClock(START) });
      const devices = await world.devices('worker-1');
      await createCronJob(world, 'tick', {
        schedule: '* * * * *',
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 0,
        jobTemplate: { spec: { template: onceTemplate(), backoffLimit: 0 } },
      });
      const done: string[] = [];
      for (const exitCode of [0, 0, 1]) {
        const fresh = (): string | undefined =>
          jobs(world).find((job) => !done.includes(job) && runningOf(world, job).length === 1);
        await world.until(() => fresh() !== undefined, 500);
        const job = fresh() ?? '';
        for (const pod of runningOf(world, job)) endPod(devices, pod, exitCode);
        done.push(job);
        await world.until(() => runningOf(world, job).length === 0);
      }
      await world.until(
        () =>
          jobs(world)
            .filter((job) => done.includes(job))
            .join() === done[1],
      );
      await world.stop();
    });
  },
  { caseTimeoutMs: 20_000 },
);
