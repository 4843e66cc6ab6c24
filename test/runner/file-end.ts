/** Begins the line that a worker prints when a file has ended; nothing else prints this character. */
export const END = '\u001e';

/** What became of a file, beside the totals that uvu printed. */
export interface FileEnd {
  /** Suites it brought: uvu says nothing of one that was never run. */
  readonly suites: number;
  /** What it opened and never closed, e.g. `1 Timeout`. */
  readonly leftOpen: readonly string[];
}
