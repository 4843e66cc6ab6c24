import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { nextTime, passedTimes } from '../../hub/decide/cron-next.ts';
import { type CronSchedule, parseCron } from '../../hub/decide/cron-schedule.ts';
import { type CronZone, openZone, UTC } from '../../hub/decide/cron-zone.ts';
import { cronError } from '../../protocol/validate/cron.ts';
import { spec } from '../spec.ts';

const MINUTE = 60_000;
/** Half hours, quarter hours, changes at midnight, of half an hour, southern summers, and none. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
];
const zones = new Map(ZONES.map((name) => [name, openZone(name) ?? UTC]));
const anyZone = fc.constantFrom(...ZONES).map((name) => zones.get(name) ?? UTC);
/** Around the changes of 2018 and 2026, where zones differ most, and anywhere. */
const EDGES = [
  '2018-02-18',
  '2018-11-04',
  '2026-03-08',
  '2026-03-29',
  '2026-04-05',
  '2026-10-04',
  '2026-10-25',
  '2026-11-01',
];
const anyTime = fc.oneof(
  fc
    .tuple(fc.constantFrom(...EDGES), fc.integer({ min: -2160, max: 2160 }))
    .map(([day, minutes]) => Date.parse(`${day}T00:00:00Z`) + minutes * MINUTE),
  fc.integer({ min: Date.parse('2015-01-01T00:00:00Z'), max: Date.parse('2040-01-01T00:00:00Z') }),
);

const field = (min: number, max: number): fc.Arbitrary<string> => {
  const value = fc.integer({ min, max });
  const part = fc.oneof(
    fc.constantFrom('*', '?'),
    value.map(String),
    fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.integer({ min: 1, max: max + 1 }).map((step) => `*/${step}`),
    fc.tuple(value, fc.integer({ min: 1, max: 9 })).map(([a, step]) => `${a}/${step}`),
  );
  return fc.oneof(
    { weight: 3, arbitrary: part },
    { weight: 1, arbitrary: fc.array(part, { minLength: 1, maxLength: 3 }).map((p) => p.join(',')) },
  );
};
const anySchedule = fc
  .tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
  .map((fields) => fields.join(' '));

/** What the schedule says, read anew and word by word: does this minute of the zone's clock match? */
function matches(text: string, zone: CronZone, atMs: number): boolean {
  const local = new Date(atMs + zone.offsetMs(atMs));
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = text.split(' ');
  const fits = (words: string, value: number, min: number, max: number): boolean =>
    words.split(',').some((word) => {
      const [span = '', step] = word.split('/');
      const [low = '', high] = span.split('-');
      const from = low === '*' || low === '?' ? min : Number(low);
      const to =
        low === '*' || low === '?'
          ? max
          : high !== undefined
            ? Number(high)
            : step === undefined
              ? from
              : max;
      return value >= from && value <= to && (value - from) % Number(step ?? 1) === 0;
    });
  const isAny = (words: string): boolean => words.split(',').some((w) => /^[*?](\/1)?$/.test(w));
  const dayFits = fits(day, local.getUTCDate(), 1, 31);
  const weekdayFits = fits(weekday, local.getUTCDay(), 0, 6);
  return (
    fits(minute, local.getUTCMinutes(), 0, 59) &&
    fits(hour, local.getUTCHours(), 0, 23) &&
    fits(month, local.getUTCMonth() + 1, 1, 12) &&
    (isAny(day) || isAny(weekday) ? dayFits && weekdayFits : dayFits || weekdayFits)
  );
}

const parsed = (text: string): CronSchedule => {
  const schedule = parseCron(text);
  assert.ok(schedule, text);
  return schedule ?? { type: 'every', everyMs: MINUTE };
};

spec('the schedule of a cron job, against a walk over every minute', (it) => {
  it('comes next where the walk finds it, also when clocks change', () => {
    fc.assert(
      fc.property(anySchedule, anyZone, anyTime, (text, zone, fromMs) => {
        const walkMs = 1.5 * 1440 * MINUTE;
        let expected: number | undefined;
        for (
          let ms = (Math.floor(fromMs / MINUTE) + 1) * MINUTE;
          ms <= fromMs + walkMs && expected === undefined;
          ms += MINUTE
        )
          if (matches(text, zone, ms)) expected = ms;
        const found = nextTime(parsed(text), zone, fromMs);
        if (expected !== undefined) assert.is(found, expected);
        else assert.ok(found === undefined || found > fromMs + walkMs);
        if (found !== undefined) assert.ok(matches(text, zone, found));
      }),
      { numRuns: 100 },
    );
  });

  it('passed last where stepping from time to time ends', () => {
    fc.assert(
      fc.property(
        anySchedule,
        anyZone,
        anyTime,
        fc.integer({ min: 0, max: 4320 }),
        (text, zone, fromMs, minutes) => {
          const nowMs = fromMs + minutes * MINUTE;
          const schedule = parsed(text);
          const all: number[] = [];
          for (
            let ms = nextTime(schedule, zone, fromMs);
            ms !== undefined && ms <= nowMs && all.length < 200;
          ) {
            all.push(ms);
            ms = nextTime(schedule, zone, ms);
          }
          const passed = passedTimes(schedule, zone, fromMs, nowMs, 100);
          assert.is(passed?.count ?? 0, Math.min(all.length, 101));
          if (all.length < 200) assert.is(passed?.latestMs, all.at(-1));
          else assert.is(passedTimes(schedule, zone, passed?.latestMs ?? 0, nowMs, 100), undefined);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is refused by validation exactly when it cannot be read', () => {
    const word = fc.oneof(
      field(0, 70),
      fc.constantFrom('MON', 'jan', '7', '*/0', '1-', '5-2', 'x', '1/2/3', '1-2-3', '-1', ''),
    );
    const texts = fc.oneof(
      fc.array(word, { minLength: 4, maxLength: 6 }).map((w) => w.join(' ')),
      fc.constantFrom(
        '@hourly',
        '@daily',
        '@reboot',
        '@every 5m',
        '@every 1.5h',
        '@every x',
        '@every',
        '',
        ' * * * * * ',
      ),
    );
    fc.assert(
      fc.property(texts, (text) =>
        assert.is(parseCron(text) === undefined, cronError(text) !== undefined, text),
      ),
    );
  });
});
