/**
 * Fails when a file imports against the direction of docs/architecture.md, when imports form a cycle, when an outside
 * package has more than one importing file, or when decide/ or protocol/ touch time, chance, async or the machine.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const TOPS = ['protocol', 'kit', 'hub', 'edge-agent', 'cli', 'dashboard'];

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}

interface Source {
  readonly file: string;
  readonly imports: readonly Import[];
  readonly code: string;
}

/** What every loop of the hub is built from; all rooms of the hub may import them, decide/ only the first. */
const SHARED = ['hub/cluster.ts', 'hub/loop.ts'];

/** Programs are the only files that may import across sibling rooms. */
function isComposition(file: string): boolean {
  const parts = file.split('/');
  return parts.length === 2 && (parts[0] === 'hub' || parts[0] === 'edge-agent') && !SHARED.includes(file);
}

function isPure(file: string): boolean {
  return file.startsWith('protocol/') || /^(hub|edge-agent)\/decide\//.test(file);
}

/** The room of a file: `protocol`, `kit`, `cli`, or `hub/store` and the like. */
function roomOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  return top === 'hub' || top === 'edge-agent' ? `${top}/${second}` : top;
}

function allowed(from: string, to: string): boolean {
  const fromRoom = roomOf(from);
  const toRoom = roomOf(to);
  if (fromRoom === toRoom || toRoom === 'protocol') return true;
  const top = from.split('/')[0] ?? '';
  if (isComposition(from)) return to.startsWith(`${top}/`) || toRoom === 'kit';
  if (isPure(from)) return to === 'hub/cluster.ts' && top === 'hub';
  if (toRoom === 'kit') return top !== 'protocol';
  return top === to.split('/')[0] && (toRoom === `${top}/decide` || SHARED.includes(to));
}

function sourceFiles(folder: string): string[] {
  const full = join(root, folder);
  if (statSync(full, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(full, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts') && !name.includes('node_modules'));
}

const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

function readSource(file: string): Source {
  const text = readFileSync(join(root, file), 'utf8');
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const imports = [
    ...[...code.matchAll(IMPORT)].map((m) => ({ target: m[2] ?? '', typeOnly: m[1] !== undefined })),
    ...[...code.matchAll(DYNAMIC)].map((m) => ({ target: m[1] ?? '', typeOnly: false })),
  ];
  return { file, imports, code };
}

function resolve(from: string, target: string): string | undefined {
  return target.startsWith('.') ? normalize(join(dirname(from), target)) : undefined;
}

function packageOf(target: string): string {
  const parts = target.split('/');
  return target.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? target);
}

const IMPURE: readonly [RegExp, string][] = [
  [/\basync\b|\bawait\b|\bPromise\./, 'async code'],
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\./, 'a clock'],
  [/\bMath\.random\b|\bcrypto\./, 'chance'],
  [/\bprocess\.|\bsetTimeout\b|\bsetInterval\b|\bglobalThis\b/, 'the machine'],
];

function breaches(source: Source): string[] {
  const found: string[] = [];
  for (const { target } of source.imports) {
    const to = resolve(source.file, target);
    if (to !== undefined && !/\.json$/.test(to) && !allowed(source.file, to))
      found.push(`${source.file}: may not import ${to}`);
    if (to === undefined && isPure(source.file))
      found.push(`${source.file}: is pure and may not import ${target}`);
  }
  if (isPure(source.file)) {
    for (const [pattern, what] of IMPURE)
      if (pattern.test(source.code)) found.push(`${source.file}: is pure and may not use ${what}`);
  }
  return found;
}

function doublyImported(sources: readonly Source[]): string[] {
  const importers = new Map<string, Set<string>>();
  for (const { file, imports } of sources) {
    for (const { target, typeOnly } of imports) {
      if (target.startsWith('.') || target.startsWith('node:') || typeOnly) continue;
      const name = packageOf(target);
      importers.set(name, (importers.get(name) ?? new Set()).add(file));
    }
  }
  return [...importers]
    .filter(([, files]) => files.size > 1)
    .map(([name, files]) => `package ${name} is imported by several files: ${[...files].join(', ')}`);
}

/** Depth-first search; a file met again on the current path closes a cycle. Type-only imports leave no trace at run time. */
function cycles(sources: readonly Source[]): string[] {
  const next = new Map(
    sources.map((s) => [
      s.file,
      s.imports
        .filter((i) => !i.typeOnly)
        .map((i) => resolve(s.file, i.target))
        .filter((t) => t !== undefined),
    ]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      found.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}

const sources = TOPS.flatMap(sourceFiles).map((file) => readSource(relative('.', file)));
const problems = [...sources.flatMap(breaches), ...doublyImported(sources), ...cycles(sources)];
for (const problem of problems) process.stdout.write(`${problem}\n`);
process.stdout.write(`rooms: ${sources.length} files, ${problems.length} breaches\n`);
process.exitCode = problems.length > 0 ? 1 : 0;
