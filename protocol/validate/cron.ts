/** Ranges and names of the five fields of a cron schedule, in their order. */
const FIELDS: readonly { readonly min: number; readonly max: number; readonly names?: readonly string[] }[] =
  [
    { min: 0, max: 59 },
    { min: 0, max: 23 },
    { min: 1, max: 31 },
    {
      min: 1,
      max: 12,
      names: ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
    },
    { min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
  ];

const DESCRIPTORS = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];
const DURATION = /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/;

/** What is wrong with a standard cron schedule, in the words of Kubernetes' parser; undefined when it is good. */
export function cronError(schedule: string): string | undefined {
  const text = schedule.trim();
  if (text === '') return 'empty spec string';
  if (text.startsWith('@')) return descriptorError(text);
  const parts = text.split(/\s+/);
  if (parts.length !== FIELDS.length)
    return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`;
  return FIELDS.map((field, i) => fieldError(parts[i] ?? '', field)).find((error) => error !== undefined);
}

function descriptorError(text: string): string | undefined {
  if (DESCRIPTORS.includes(text)) return undefined;
  if (text.startsWith('@every '))
    return DURATION.test(text.slice(7)) ? undefined : `failed to parse duration ${text}`;
  return `unrecognized descriptor: ${text}`;
}

function fieldError(text: string, field: (typeof FIELDS)[number]): string | undefined {
  for (const expression of text.split(',').filter((e) => e !== '')) {
    const error = rangeError(expression, field);
    if (error !== undefined) return error;
  }
  return undefined;
}

function rangeError(expression: string, field: (typeof FIELDS)[number]): string | undefined {
  const [range = '', step, ...more] = expression.split('/');
  if (more.length > 0) return `too many slashes: ${expression}`;
  const [low = '', high, ...rest] = range.split('-');
  if (rest.length > 0) return `too many hyphens: ${expression}`;
  const isAny = low === '*' || low === '?';
  const first = isAny ? field.min : numberOf(low, field.names);
  if (typeof first === 'string') return first;
  const single = step === undefined ? first : field.max;
  const last = isAny ? field.max : high === undefined ? single : numberOf(high, field.names);
  if (typeof last === 'string') return last;
  const every = step === undefined ? 1 : numberOf(step);
  if (typeof every === 'string') return every;
  if (first < field.min) return `beginning of range (${first}) below minimum (${field.min}): ${expression}`;
  if (last > field.max) return `end of range (${last}) above maximum (${field.max}): ${expression}`;
  if (first > last) return `beginning of range (${first}) beyond end of range (${last}): ${expression}`;
  return every === 0 ? `step of range should be a positive number: ${expression}` : undefined;
}

/** The number, or why it is none. */
function numberOf(text: string, names: readonly string[] = []): number | string {
  const named = text === '' ? -1 : names.indexOf(text.toLowerCase());
  if (named >= 0) return named;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (/^-\d+$/.test(text)) return `negative number (${text}) not allowed: ${text}`;
  return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
}

/** True for a name of the IANA time zone database. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false; // RangeError: the only thing an unknown zone throws
  }
}
