import type { CronSchedule } from './cron-schedule.ts';
import type { CronZone } from './cron-zone.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** No schedule that ever comes true waits longer, but for 29 February around 2100, as in Kubernetes. */
const HORIZON_MS = 5 * 366 * DAY_MS;
/** Offsets of one zone never differ by more. */
const MARGIN_MS = 2 * DAY_MS;

type Fields = CronSchedule & { type: 'fields' };

/**
 * The first time after `afterMs` at which the zone's clock shows what the schedule asks for; undefined when there is none within
 * five years. A local time that a change to summer time leaves out never comes, one that comes twice counts twice. Epoch ms.
 */
export function nextTime(schedule: CronSchedule, zone: CronZone, afterMs: number): number | undefined {
  if (schedule.type === 'every') return Math.floor(afterMs / 1000) * 1000 + schedule.everyMs;
  let fromMs = (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS;
  const endMs = fromMs + HORIZON_MS;
  while (fromMs < endMs) {
    const offsetMs = zone.offsetMs(fromMs);
    const localMs = nextLocal(schedule, ceilMinute(fromMs + offsetMs), endMs + MARGIN_MS);
    if (localMs === undefined) return undefined;
    // Far away: nothing in between can match under any offset of the zone.
    if (localMs - offsetMs - fromMs > 2 * MARGIN_MS) {
      fromMs = ceilMinute(localMs - offsetMs - MARGIN_MS);
      continue;
    }
    const changeMs = offsetChange(zone, fromMs, fromMs + DAY_MS);
    if (localMs - offsetMs < changeMs) return localMs - offsetMs;
    fromMs = changeMs;
  }
  return undefined;
}

const ceilMinute = (ms: number): number => Math.ceil(ms / MINUTE_MS) * MINUTE_MS;

/** The first minute up to `toMs` that has another offset than `fromMs`; `toMs` when there is none. */
function offsetChange(zone: CronZone, fromMs: number, toMs: number): number {
  const before = zone.offsetMs(fromMs);
  if (zone.offsetMs(toMs) === before) return toMs;
  let same = fromMs;
  let other = toMs;
  while (other - same > MINUTE_MS) {
    const middle = ceilMinute((same + other) / 2);
    if (middle >= other) break;
    if (zone.offsetMs(middle) === before) same = middle;
    else other = middle;
  }
  return other;
}

/** The first local minute at or after `fromMs` that matches; local times as if they were UTC. */
function nextLocal(schedule: Fields, fromMs: number, toMs: number): number | undefined {
  for (let dayMs = Math.floor(fromMs / DAY_MS) * DAY_MS; dayMs < toMs; dayMs += DAY_MS) {
    const date = new Date(dayMs);
    if (!schedule.months.has(date.getUTCMonth() + 1) || !dayMatches(schedule, date)) continue;
    const firstMinute = Math.max(0, (fromMs - dayMs) / MINUTE_MS);
    const minute = nextMinute(schedule, firstMinute);
    if (minute !== undefined) return dayMs + minute * MINUTE_MS;
  }
  return undefined;
}

function dayMatches({ days, weekdays, anyDay, anyWeekday }: Fields, date: Date): boolean {
  const day = days.has(date.getUTCDate());
  const weekday = weekdays.has(date.getUTCDay());
  return anyDay || anyWeekday ? day && weekday : day || weekday;
}

function nextMinute({ hours, minutes }: Fields, from: number): number | undefined {
  for (let hour = Math.floor(from / 60); hour < 24; hour++) {
    if (!hours.has(hour)) continue;
    for (let minute = Math.max(0, from - hour * 60); minute < 60; minute++)
      if (minutes.has(minute)) return hour * 60 + minute;
  }
  return undefined;
}

/** Times of a schedule that have passed: the latest, and how many; counting stops one above `limit`. */
export interface PassedTimes {
  readonly latestMs: number;
  readonly count: number;
}

/** The times after `afterMs` up to and with `nowMs`; undefined when there is none. */
export function passedTimes(
  schedule: CronSchedule,
  zone: CronZone,
  afterMs: number,
  nowMs: number,
  limit: number,
): PassedTimes | undefined {
  let latestMs = nextTime(schedule, zone, afterMs);
  if (latestMs === undefined || latestMs > nowMs) return undefined;
  let count = 1;
  for (;;) {
    const followingMs = nextTime(schedule, zone, latestMs);
    if (followingMs === undefined || followingMs > nowMs) return { latestMs, count };
    latestMs = followingMs;
    count += 1;
    if (count > limit) return { latestMs: latestPassed(schedule, zone, latestMs, nowMs), count };
  }
}

/** The latest time at or before `nowMs`, given one that is, by halving: after which moment does no time come any more? */
function latestPassed(schedule: CronSchedule, zone: CronZone, knownMs: number, nowMs: number): number {
  if (schedule.type === 'every')
    return knownMs + Math.floor((nowMs - knownMs) / schedule.everyMs) * schedule.everyMs;
  let latestMs = knownMs;
  let emptyFromMs = nowMs;
  while (emptyFromMs - latestMs > MINUTE_MS) {
    const middleMs = Math.floor((latestMs + emptyFromMs) / 2);
    const found = nextTime(schedule, zone, middleMs);
    if (found === undefined || found > nowMs) emptyFromMs = middleMs;
    else latestMs = found;
  }
  const last = nextTime(schedule, zone, latestMs);
  return last !== undefined && last <= nowMs ? last : latestMs;
}
