/**
 * Runs test files, a few at a time, and ends in the line `N passed, N failed, N skipped`. Files of layers without shells share
 * processes, all others have one each. What hangs is killed with its whole process group; a file that ran no test or leaves
 * something open counts as failed, because uvu exits 0 for a suite that was never run.
 *
 *   node --import tsx test/run.ts [--jobs N] [--grep TEXT] [--second-look N] LAYER|FILE...
 *
 * With `--second-look N`, up to N files that failed and that wait for real engines, sockets or clocks run once more, alone, after all
 * others. One that passes then is counted by that run and named UNSTEADY: a bug still, but one of a moment.
 */
import { readdirSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Bundle } from './runner/bundle.ts';
import { type FileRun, WorkerProcess } from './runner/worker-process.ts';

/** Longest a file of a layer may take, in ms; e2e files drive real engines on a shared machine. */
const LAYER_LIMIT_MS: Record<string, number> = {
  unit: 60_000,
  property: 120_000,
  contract: 180_000,
  loop: 120_000,
};
const SLOW_LIMIT_MS = 900_000;
const ENDING_LIMIT_MS = 60_000;
/** The fast layers in the order they are begun: what waits first, the many small ones last. */
const FAST = ['contract', 'loop', 'property', 'unit'];
/** The layers that wait for what a busy machine may hold up. A counterexample of `property` or `unit` stays one. */
const OF_THE_MOMENT = ['contract', 'loop', 'api', 'e2e'];
/** The layers whose files share processes. */
const SHARING = ['loop', 'property', 'unit'];

interface Result {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly wallMs: number;
  readonly output: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const workerSource = join(root, 'test/runner/worker.ts');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string' }, grep: { type: 'string' }, 'second-look': { type: 'string' } },
});

function testFiles(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => {
      const full = join(path, entry.name);
      if (entry.isDirectory()) return testFiles(full);
      return entry.name.endsWith('.test.ts') ? [full] : [];
    })
    .sort();
}

const layerOf = (file: string): string => relative(join(root, 'test'), file).split('/')[0] ?? '';

const isSharing = (file: string): boolean => SHARING.includes(layerOf(file));

/** uvu prints the totals of all suites of a file at once. */
function totals(output: string): { total: number; passed: number; skipped: number } {
  const of = (label: string): number =>
    Number(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? 0);
  return { total: of('Total'), passed: of('Passed'), skipped: of('Skipped') };
}

/** Why a file counts as failed although none of its cases did. */
function complaint({ end }: FileRun, total: number, limitMs: number): string | undefined {
  if (end === 'hung') return `killed: it did not end within ${limitMs} ms`;
  if ('exitCode' in end) return `its process ended with ${end.exitCode}`;
  if (end.leftOpen.length > 0) return `left open: ${end.leftOpen.join(', ')}`;
  return total === 0 || end.suites === 0 ? 'the file ran no test' : undefined;
}

class Runner {
  readonly results: Result[] = [];
  /** Files that failed, and passed when they were run again. */
  readonly unsteady: string[] = [];
  readonly #waiting: string[];
  readonly #bundle: Bundle;
  readonly #workers = new Set<WorkerProcess>();

  constructor(files: readonly string[], bundle: Bundle) {
    const rank = (file: string): number => FAST.indexOf(layerOf(file));
    this.#waiting = files.toSorted((a, b) => rank(a) - rank(b));
    this.#bundle = bundle;
  }

  /** Takes files until none is left. */
  async work(): Promise<void> {
    for (let file = this.#waiting.shift(); file !== undefined; file = this.#waiting.shift()) {
      const worker = new WorkerProcess(this.#bundle.fileOf(workerSource), root);
      this.#workers.add(worker);
      await this.#workWith(worker, file);
      this.#workers.delete(worker);
    }
  }

  /** Runs these files again; each counts as it ends now. */
  async lookAgain(files: readonly string[]): Promise<void> {
    for (const file of files) {
      const name = relative(root, file);
      process.stdout.write(`again, alone: ${name}\n`);
      const first = this.results.findIndex((result) => result.name === name);
      this.results.splice(first, 1);
      this.#waiting.push(file);
      await this.work();
      if (this.results.every((result) => result.name !== name || result.failed === 0))
        this.unsteady.push(name);
    }
  }

  /** The runner itself ends. */
  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }

  /** Runs this file and, where it is of the layers that share, others of them, until the worker breaks or no file is left. */
  async #workWith(worker: WorkerProcess, first: string): Promise<void> {
    const done: string[] = [];
    for (let file: string | undefined = first; file !== undefined; ) {
      done.push(relative(root, file));
      const isWhole = await this.#runFile(worker, file);
      if (!isWhole) return;
      const next = this.#waiting[0];
      file = isSharing(file) && next !== undefined && isSharing(next) ? this.#waiting.shift() : undefined;
    }
    if (await worker.stop(ENDING_LIMIT_MS)) return;
    const output = `after ${done.join(', ')}`;
    this.#note({
      name: 'a process that did not end well',
      passed: 0,
      failed: 1,
      skipped: 0,
      wallMs: 0,
      output,
    });
  }

  /** Whether the worker can go on. */
  async #runFile(worker: WorkerProcess, file: string): Promise<boolean> {
    const limitMs = LAYER_LIMIT_MS[layerOf(file)] ?? SLOW_LIMIT_MS;
    const startedAtMs = Date.now();
    const run = await worker.run(this.#bundle.fileOf(file), limitMs);
    const wallMs = Date.now() - startedAtMs;
    const t = totals(run.output);
    const why = complaint(run, t.total, limitMs);
    const failedCases = t.total - t.passed - t.skipped;
    const failed = failedCases > 0 || why === undefined ? failedCases : 1;
    const output = this.#bundle.traced(run.output) + (why === undefined ? '' : `\n${why}\n`);
    this.#note({ name: relative(root, file), passed: t.passed, failed, skipped: t.skipped, wallMs, output });
    const isWhole = typeof run.end === 'object' && 'leftOpen' in run.end && run.end.leftOpen.length === 0;
    if (!isWhole) worker.kill();
    return isWhole;
  }

  #note(result: Result): void {
    this.results.push(result);
    const mark = result.failed > 0 ? 'FAIL' : 'ok  ';
    process.stdout.write(`${mark} ${result.name}  ${result.passed} passed, ${result.wallMs} ms\n`);
    if (result.failed > 0) process.stdout.write(`${result.output}\n`);
  }
}

/** The files to run again: none when more than `most` failed, for then it is not a matter of the moment. */
function secondLooks(files: readonly string[], results: readonly Result[], most: number): string[] {
  const failed = results.filter((result) => result.failed > 0).map(({ name }) => name);
  if (failed.length > most) return [];
  return files.filter(
    (file) => OF_THE_MOMENT.includes(layerOf(file)) && failed.includes(relative(root, file)),
  );
}

function report({ results, unsteady }: Runner): void {
  const sum = (pick: (r: Result) => number): number => results.reduce((n, r) => n + pick(r), 0);
  const failed = sum((r) => r.failed);
  for (const r of results.filter((result) => result.failed > 0)) process.stdout.write(`FAIL ${r.name}\n`);
  for (const name of unsteady) process.stdout.write(`UNSTEADY ${name}\n`);
  process.stdout.write(
    `${sum((r) => r.passed)} passed, ${failed} failed, ${sum((r) => r.skipped)} skipped\n`,
  );
  process.exitCode = failed > 0 || results.length === 0 ? 1 : 0;
}

async function main(): Promise<void> {
  const layers = positionals.length > 0 ? positionals : FAST;
  const wanted = layers
    .flatMap((layer) => testFiles(layer.includes('/') ? resolve(layer) : join(root, 'test', layer)))
    .filter((file) => values.grep === undefined || file.includes(values.grep));
  const files = [...new Set(wanted)];
  const bundle = await Bundle.of([workerSource, ...files]);
  const runner = new Runner(files, bundle);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      runner.kill();
      bundle.remove();
      process.exit(1);
    });
  try {
    // One more than processors: many files wait for disks, sockets and engines.
    await Promise.all(Array.from({ length: Number(values.jobs ?? cpus().length + 1) }, () => runner.work()));
    await runner.lookAgain(secondLooks(files, runner.results, Number(values['second-look'] ?? 0)));
  } finally {
    bundle.remove();
  }
  report(runner);
}

await main();
