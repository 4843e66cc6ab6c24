/**
 * A schedule that was read: the times of its fields, or a constant delay (`@every`). Sets are bits by value; `anyDay` and
 * `anyWeekday` say that a day field was `*` or `?`, because only two restricted day fields are alternatives.
 */
export type CronSchedule =
  | {
      readonly type: 'fields';
      readonly minutes: ReadonlySet<number>;
      readonly hours: ReadonlySet<number>;
      readonly days: ReadonlySet<number>;
      readonly months: ReadonlySet<number>;
      readonly weekdays: ReadonlySet<number>;
      readonly anyDay: boolean;
      readonly anyWeekday: boolean;
    }
  | { readonly type: 'every'; readonly everyMs: number };

interface Field {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE: Field = { min: 0, max: 59 };
const HOUR: Field = { min: 0, max: 23 };
const DAY: Field = { min: 1, max: 31 };
const MONTH: Field = { min: 1, max: 12, names: MONTHS };
const WEEKDAY: Field = { min: 0, max: 6, names: WEEKDAYS };

const DESCRIPTORS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Reads the schedule of a CronJob; undefined when it breaks the rules that `cronError` words. Never throws. */
export function parseCron(text: string): CronSchedule | undefined {
  const trimmed = text.trim();
  if (trimmed.startsWith('@every ')) return parseEvery(trimmed.slice(7));
  const fields = (DESCRIPTORS[trimmed] ?? trimmed).split(/\s+/);
  if (fields.length !== 5) return undefined;
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  const minutes = parseField(minute, MINUTE);
  const hours = parseField(hour, HOUR);
  const days = parseField(day, DAY);
  const months = parseField(month, MONTH);
  const weekdays = parseField(weekday, WEEKDAY);
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  return {
    type: 'fields',
    minutes: minutes.values,
    hours: hours.values,
    days: days.values,
    months: months.values,
    weekdays: weekdays.values,
    anyDay: days.any,
    anyWeekday: weekdays.any,
  };
}

interface Values {
  readonly values: ReadonlySet<number>;
  readonly any: boolean;
}

function parseField(text: string, field: Field): Values | undefined {
  const values = new Set<number>();
  let any = false;
  for (const part of text.split(',').filter((p) => p !== '')) {
    const range = parseRange(part, field);
    if (range === undefined) return undefined;
    for (let value = range.first; value <= range.last; value += range.step) values.add(value);
    any ||= range.any;
  }
  return { values, any };
}

interface Range {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  readonly any: boolean;
}

/** `*`, `?`, `5`, `5-9`, each with `/step`; `5/2` goes from 5 to the end. */
function parseRange(part: string, field: Field): Range | undefined {
  const [span = '', stepText, ...more] = part.split('/');
  const [low = '', high, ...rest] = span.split('-');
  const step = stepText === undefined ? 1 : parseValue(stepText);
  if (more.length > 0 || rest.length > 0 || step === undefined || step === 0) return undefined;
  // Words of the whole range with a step are a restriction: `*/2` in a day field is an alternative, `*` is not.
  if (low === '*' || low === '?') return { first: field.min, last: field.max, step, any: step === 1 };
  const first = parseValue(low, field.names);
  const single = stepText === undefined ? first : field.max;
  const last = high === undefined ? single : parseValue(high, field.names);
  if (first === undefined || last === undefined) return undefined;
  return first < field.min || last > field.max || first > last
    ? undefined
    : { first, last, step, any: false };
}

function parseValue(text: string, names: readonly string[] = []): number | undefined {
  const named = text === '' ? -1 : names.indexOf(text.toLowerCase());
  if (named >= 0) return named;
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 36e5,
};

function parseEvery(text: string): CronSchedule | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const totalMs = parts.reduce((sum, [, n, unit = '']) => sum + Number(n) * (UNIT_MS[unit] ?? 0), 0);
  return { type: 'every', everyMs: Math.max(1000, Math.floor(totalMs / 1000) * 1000) };
}
