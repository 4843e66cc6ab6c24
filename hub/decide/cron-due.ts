import type { CronJob } from '../../protocol/kinds/batch.ts';
import { nextTime, type PassedTimes, passedTimes } from './cron-next.ts';
import type { CronSchedule } from './cron-schedule.ts';
import type { CronZone } from './cron-zone.ts';

/** What a CronJob's schedule says at an instant. */
export interface CronDue {
  /** Epoch ms of the run that is due and was not started; of several missed ones only the latest. */
  readonly dueMs: number | undefined;
  /** More than 100 times were missed: somebody should know, see Kubernetes' TooManyMissedTimes. */
  readonly isManyMissed: boolean;
  /** Epoch ms of the latest run that nobody will start any more, because startingDeadlineSeconds is over. */
  readonly missedMs: number | undefined;
  /** Epoch ms of the next time; undefined when there is none. */
  readonly nextMs: number | undefined;
}

const MANY = 100;

/**
 * Decides what is due at `nowMs`: the latest time since the last one started (since creation when none was), not looking back
 * further than startingDeadlineSeconds. Never a time at or before `status.lastScheduleTime`, wherever the clock jumped: set back, it
 * waits until that time has passed again; set forward, only the latest of the times passed over is due. Pure; never throws.
 */
export function cronDue(cron: CronJob, schedule: CronSchedule, zone: CronZone, nowMs: number): CronDue {
  const lastMs = Date.parse(cron.status?.lastScheduleTime ?? '');
  const startMs = Number.isNaN(lastMs) ? Date.parse(cron.metadata.creationTimestamp) || 0 : lastMs;
  const { startingDeadlineSeconds: deadline } = cron.spec;
  const sinceMs = Math.max(startMs, deadline === undefined ? startMs : nowMs - deadline * 1000);
  const passedSince = (fromMs: number): PassedTimes | undefined =>
    fromMs > nowMs ? undefined : passedTimes(schedule, zone, fromMs, nowMs, MANY);
  const passed = passedSince(sinceMs);
  const tooLate = passed === undefined && sinceMs > startMs ? passedSince(startMs) : undefined;
  // A constant delay counts from the last time; fields are those of the clock on the wall.
  const baseMs = passed?.latestMs ?? startMs;
  const fromMs = schedule.type === 'every' ? (tooLate?.latestMs ?? baseMs) : Math.max(nowMs, baseMs);
  return {
    dueMs: passed?.latestMs,
    isManyMissed: (passed?.count ?? 0) > MANY,
    missedMs: tooLate?.latestMs,
    nextMs: nextTime(schedule, zone, fromMs),
  };
}
