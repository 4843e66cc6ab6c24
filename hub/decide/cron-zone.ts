/** Local time of one zone. Offsets are those of the system's time zone data. */
export interface CronZone {
  /** Ms to add to an epoch time to get the local time, written as if it were UTC. */
  offsetMs(atMs: number): number;
}

/** UTC, for those who need no zone. */
export const UTC: CronZone = { offsetMs: () => 0 };

/**
 * Opens a zone by its IANA name; without a name the zone of the hub's machine. Undefined for a name that is unknown. Making one is
 * costly (a formatter), asking it is not: keep it.
 */
export function openZone(name: string | undefined): CronZone | undefined {
  const format = formatterOf(name);
  if (format === undefined) return undefined;
  return {
    offsetMs: (atMs) => {
      const parts: Record<string, number> = {};
      for (const { type, value } of format.formatToParts(atMs)) parts[type] = Number(value);
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
      return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1000) * 1000;
    },
  };
}

function formatterOf(timeZone: string | undefined): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', {
      ...(timeZone === undefined ? {} : { timeZone }),
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    return undefined; // RangeError: the only thing an unknown zone throws
  }
}

/** RFC 3339 with the zone's own offset, as the annotation of a cron job's jobs has it; `Z` for none. */
export function localTime(zone: CronZone, atMs: number): string {
  const offsetMs = zone.offsetMs(atMs);
  const text = new Date(atMs + offsetMs).toISOString().slice(0, 19);
  if (offsetMs === 0) return `${text}Z`;
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${text}${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
