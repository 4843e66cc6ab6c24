/**
 * Runs test files, a few at a time, and ends in the line `N passed, N failed, N skipped`. Files of layers without shells share
 * processes, all others have one each. What hangs is killed with its whole process group; a file that ran no test counts as failed,
 * because uvu exits 0 for a suite that was never run.
 *
 *   node --import tsx test/run.ts [--jobs N] [--grep TEXT] LAYER|FILE...
 */
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** Longest a file of a layer may take, in ms; e2e files drive real engines on a shared machine. */
const LAYER_LIMIT_MS: Record<string, number> = {
  unit: 60_000,
  property: 120_000,
  contract: 180_000,
  loop: 120_000,
};
const SLOW_LIMIT_MS = 900_000;
/** Files in one process: these layers leave nothing behind, and starting Node and tsx takes longer than most of their files. */
const FILES_AT_ONCE: Record<string, number> = { unit: 20, property: 4, loop: 4 };

interface Result {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly wallMs: number;
  readonly output: string;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string' }, grep: { type: 'string' } },
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

/** uvu prints the totals of all suites of a process at once. */
function totals(output: string): { total: number; passed: number; skipped: number } {
  const sum = (label: string): number =>
    [...output.matchAll(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'gm'))].reduce((n, m) => n + Number(m[1]), 0);
  return { total: sum('Total'), passed: sum('Passed'), skipped: sum('Skipped') };
}

const layerOf = (file: string): string => relative(join(root, 'test'), file).split('/')[0] ?? '';

/** Files that go into one process; the layers are kept apart. */
function batches(files: readonly string[]): string[][] {
  const all: string[][] = [];
  for (const layer of new Set(files.map(layerOf))) {
    const own = files.filter((file) => layerOf(file) === layer);
    const count = Math.ceil(own.length / (FILES_AT_ONCE[layer] ?? 1));
    // Dealt out in turn: neighbours are alike, and so are their costs.
    for (let i = 0; i < count; i++) all.push(own.filter((_, n) => n % count === i));
  }
  return all;
}

/** The file, or how many of which layer; a failure's output has the names of the files as headings. */
function nameOf(files: readonly string[]): string {
  const [first = ''] = files;
  return files.length === 1
    ? relative(root, first)
    : `test/${layerOf(first)}, ${files.length} files together`;
}

function runBatch(files: readonly string[]): Promise<Result> {
  const layerLimitMs = LAYER_LIMIT_MS[layerOf(files[0] ?? '')] ?? SLOW_LIMIT_MS;
  const limitMs = files.length > 1 ? 2 * layerLimitMs : layerLimitMs;
  const startedAtMs = Date.now();
  const script = files.length === 1 ? files : [join(root, 'test/batch.ts'), ...files];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', ...script], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0' },
    });
    let output = '';
    let hung = false;
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const timer = setTimeout(() => {
      hung = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, limitMs);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (hung) output += `\nkilled: it did not end within ${limitMs} ms\n`;
      const t = totals(output);
      let failed = t.total - t.passed - t.skipped;
      if (failed === 0 && (code !== 0 || t.total === 0)) failed = 1;
      if (t.total === 0 && code === 0) output += '\nthe file ran no test\n';
      resolve({
        name: nameOf(files),
        passed: t.passed,
        failed,
        skipped: t.skipped,
        wallMs: Date.now() - startedAtMs,
        output,
      });
    });
  });
}

async function main(): Promise<void> {
  const layers = positionals.length > 0 ? positionals : ['unit', 'property', 'contract', 'loop'];
  const files = layers
    .flatMap((layer) => testFiles(layer.includes('/') ? layer : join(root, 'test', layer)))
    .filter((file) => values.grep === undefined || file.includes(values.grep));
  const waiting = batches([...new Set(files)]);
  const results: Result[] = [];
  const worker = async (): Promise<void> => {
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
      const result = await runBatch(batch);
      results.push(result);
      const mark = result.failed > 0 ? 'FAIL' : 'ok  ';
      process.stdout.write(`${mark} ${result.name}  ${result.passed} passed, ${result.wallMs} ms\n`);
      if (result.failed > 0) process.stdout.write(`${result.output}\n`);
    }
  };
  // One more than processors: many files wait for disks, sockets and engines.
  await Promise.all(Array.from({ length: Number(values.jobs ?? cpus().length + 1) }, worker));
  const sum = (pick: (r: Result) => number): number => results.reduce((n, r) => n + pick(r), 0);
  const failed = sum((r) => r.failed);
  for (const r of results.filter((result) => result.failed > 0)) process.stdout.write(`FAIL ${r.name}\n`);
  process.stdout.write(
    `${sum((r) => r.passed)} passed, ${failed} failed, ${sum((r) => r.skipped)} skipped\n`,
  );
  process.exitCode = failed > 0 || results.length === 0 ? 1 : 0;
}

await main();
