/** One measured figure. `value` is a median unless `note` says otherwise; `ratio` is value over `baseline` of the same run. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline?: number;
  readonly ratio?: number;
  /** What was aimed at, in words: `<= 70 MB`. */
  readonly target?: string;
  /** Whether the target was met; absent when there is none. */
  readonly ok?: boolean;
  readonly note?: string;
}

/** Takes figures as they are measured. */
export type Report = (figure: Figure) => void;

/** A bench measures something real and reports figures; `quick` shortens the waiting, and the figures say so. */
export type Bench = (report: Report, options: { readonly quick: boolean }) => Promise<void>;

/** Middle value; the mean of the two middle ones for an even count. Throws on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)];
  const lower = sorted[Math.ceil(half) - 1];
  if (upper === undefined || lower === undefined) throw new Error('median of nothing');
  return (upper + lower) / 2;
}

/** A figure with its ratio to a baseline, judged against the largest ratio allowed. */
export function ratioFigure(
  name: string,
  value: number,
  baseline: number,
  unit: string,
  maxRatio: number,
  note?: string,
): Figure {
  const ratio = value / baseline;
  return {
    name,
    value,
    unit,
    baseline,
    ratio,
    target: `ratio <= ${maxRatio}`,
    ok: ratio <= maxRatio,
    ...(note === undefined ? {} : { note }),
  };
}

/** A figure judged against the largest value allowed. */
export function limitFigure(name: string, value: number, unit: string, max: number, note?: string): Figure {
  return {
    name,
    value,
    unit,
    target: `<= ${max} ${unit}`,
    ok: value <= max,
    ...(note === undefined ? {} : { note }),
  };
}

/** Three or four significant digits, for people. */
export function shown(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100
    ? value.toFixed(0)
    : Math.abs(value) >= 10
      ? value.toFixed(1)
      : value.toFixed(2);
}
