import * as assert from 'uvu/assert';
import { cronDue } from '../../../../hub/decide/cron-due.ts';
import { nextTime } from '../../../../hub/decide/cron-next.ts';
import { parseCron } from '../../../../hub/decide/cron-schedule.ts';
import { localTime, openZone, UTC } from '../../../../hub/decide/cron-zone.ts';
import type { CronJob } from '../../../../protocol/kinds/batch.ts';
import { spec } from '../../../spec.ts';

const zone = (name: string) => openZone(name) ?? UTC;
const at = (iso: string): number => Date.parse(iso);

/** The next `count` times after `from`. */
function times(schedule: string, from: string, count: number, zoneName = 'UTC'): string[] {
  const parsed = parseCron(schedule);
  if (parsed === undefined) return [];
  const found: string[] = [];
  for (let ms = at(from); found.length < count; ) {
    const next = nextTime(parsed, zone(zoneName), ms);
    if (next === undefined) break;
    found.push(localTime(zone(zoneName), next));
    ms = next;
  }
  return found;
}

spec('nextTime', (it) => {
  const cases: readonly [string, string, string, readonly string[], string?][] = [
    [
      'every quarter',
      '*/15 * * * *',
      '2026-01-01T00:01:00Z',
      ['2026-01-01T00:15:00Z', '2026-01-01T00:30:00Z'],
    ],
    ['names and ranges', '0 9 * JAN MON-fri', '2026-01-30T10:00:00Z', ['2027-01-01T09:00:00Z']],
    ['lists', '5,10 8,20 * * *', '2026-01-01T08:06:00Z', ['2026-01-01T08:10:00Z', '2026-01-01T20:05:00Z']],
    [
      'a step from a value',
      '50/5 23 * * ?',
      '2026-01-01T00:00:00Z',
      ['2026-01-01T23:50:00Z', '2026-01-01T23:55:00Z'],
    ],
    [
      'day of month or of week',
      '0 0 13 * 5',
      '2026-01-01T00:00:00Z',
      ['2026-01-02T00:00:00Z', '2026-01-09T00:00:00Z', '2026-01-13T00:00:00Z'],
    ],
    ['29 February', '0 0 29 2 *', '2026-01-01T00:00:00Z', ['2028-02-29T00:00:00Z']],
    ['a day that never comes', '0 0 31 2 *', '2026-01-01T00:00:00Z', []],
    ['@hourly', '@hourly', '2026-01-01T00:00:00Z', ['2026-01-01T01:00:00Z']],
    ['@every', '@every 90m', '2026-01-01T00:00:10Z', ['2026-01-01T01:30:10Z']],
    [
      'not in the hour that summer time leaves out',
      '30 2 * * *',
      '2026-03-28T12:00:00Z',
      ['2026-03-30T02:30:00+02:00'],
      'Europe/Berlin',
    ],
    [
      'twice in the hour that comes twice',
      '30 2 * * *',
      '2026-10-24T12:00:00Z',
      ['2026-10-25T02:30:00+02:00', '2026-10-25T02:30:00+01:00'],
      'Europe/Berlin',
    ],
    [
      'after midnight was left out',
      '0 0 * * *',
      '2018-11-03T12:00:00Z',
      ['2018-11-05T00:00:00-02:00'],
      'America/Sao_Paulo',
    ],
    [
      'with half hours',
      '0 12 * * *',
      '2026-06-01T00:00:00Z',
      ['2026-06-01T12:00:00+05:45'],
      'Asia/Kathmandu',
    ],
  ];
  for (const [name, schedule, from, expected, zoneName] of cases)
    it(name, () =>
      assert.equal(times(schedule, from, Math.max(1, expected.length), zoneName), [...expected]),
    );
});

spec('cronDue', (it) => {
  const cron = (created: string, last?: string, deadline?: number): CronJob =>
    ({
      metadata: { name: 'c', creationTimestamp: created },
      spec: {
        schedule: '*/10 * * * *',
        ...(deadline === undefined ? {} : { startingDeadlineSeconds: deadline }),
      },
      status: last === undefined ? {} : { lastScheduleTime: last },
    }) as CronJob;
  const ten = parseCron('*/10 * * * *');
  const due = (c: CronJob, now: string): (string | boolean | undefined)[] => {
    if (ten === undefined) return [];
    const { dueMs, isManyMissed, missedMs, nextMs } = cronDue(c, ten, UTC, at(now));
    const text = (ms: number | undefined): string | undefined =>
      ms === undefined ? undefined : localTime(UTC, ms).slice(11, 16);
    return [text(dueMs), isManyMissed, text(missedMs), text(nextMs)];
  };
  const day = '2026-01-01T';
  const cases: readonly [string, CronJob, string, readonly (string | boolean | undefined)[]][] = [
    [
      'nothing before the first time',
      cron(`${day}00:01:00Z`),
      `${day}00:09:59Z`,
      [undefined, false, undefined, '00:10'],
    ],
    [
      'the time that has come',
      cron(`${day}00:01:00Z`),
      `${day}00:10:00Z`,
      ['00:10', false, undefined, '00:20'],
    ],
    [
      'not what was started',
      cron(`${day}00:01:00Z`, `${day}00:10:00Z`),
      `${day}00:10:30Z`,
      [undefined, false, undefined, '00:20'],
    ],
    [
      'the latest of several',
      cron(`${day}00:01:00Z`),
      `${day}03:15:00Z`,
      ['03:10', false, undefined, '03:20'],
    ],
    [
      'the latest of very many',
      cron('2025-01-01T00:00:00Z'),
      `${day}03:15:00Z`,
      ['03:10', true, undefined, '03:20'],
    ],
    [
      'nothing when the clock was set back',
      cron(`${day}00:01:00Z`, `${day}05:00:00Z`),
      `${day}03:15:00Z`,
      [undefined, false, undefined, '05:10'],
    ],
    [
      'what the deadline still allows',
      cron(`${day}00:01:00Z`, undefined, 120),
      `${day}03:11:00Z`,
      ['03:10', false, undefined, '03:20'],
    ],
    [
      'what the deadline forbids',
      cron(`${day}00:01:00Z`, undefined, 120),
      `${day}03:15:00Z`,
      [undefined, false, '03:10', '03:20'],
    ],
  ];
  for (const [name, c, now, expected] of cases) it(name, () => assert.equal(due(c, now), [...expected]));
});
