import { type Callback, suite } from 'uvu';

/** Registers one case; the body may be async. A case that takes longer than the suite's limit fails. */
export type It = (name: string, body: Callback<unknown>) => void;

/** Options of a suite: `caseTimeoutMs` bounds every case (default 30 s, which only what hangs ever needs); hooks run around the whole suite. */
export interface SpecOptions {
  readonly caseTimeoutMs?: number;
  readonly before?: () => Promise<void> | void;
  readonly after?: () => Promise<void> | void;
}

/**
 * Declares and runs one uvu suite. The only place in the tree that calls `.run()`, because uvu passes a
 * suite silently when the call is forgotten. Every case is bounded in time, because uvu waits for ever.
 */
export function spec(name: string, body: (it: It) => void, options: SpecOptions = {}): void {
  const limitMs = options.caseTimeoutMs ?? 30_000;
  const tests = suite(name);
  if (options.before) tests.before(options.before);
  if (options.after) tests.after(options.after);
  body((title, run) => {
    tests(title, (context) => bounded(title, limitMs, async () => void (await run(context))));
  });
  tests.run();
}

async function bounded(title: string, limitMs: number, run: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`"${title}" did not finish within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([run(), late]);
  } catch (error) {
    throw reportable(error);
  } finally {
    clearTimeout(timer);
  }
}

/** uvu drops the rest of a suite in silence when a case throws no Error, or one whose `details` is no text (an ApiError). */
function reportable(error: unknown): unknown {
  if (!(error instanceof Error)) return new Error(`threw ${String(error)}`, { cause: error });
  if (!('details' in error) || !error.details || typeof error.details === 'string') return error;
  const told = new Error(`${error.name}: ${error.message}`, { cause: error });
  if (error.stack !== undefined) told.stack = error.stack;
  return told;
}
