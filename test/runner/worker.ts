/**
 * A process that runs the test files it is sent, one after the other, so that Node and the modules they share are loaded once and
 * stay warm. After each file it prints END and what became of it as JSON.
 */
import { pathToFileURL } from 'node:url';
import { END, type FileEnd } from './file-end.ts';

/** What a file has opened must be closed this long after its last case. */
const CLOSING_LIMIT_MS = 10_000;

// uvu starts by itself unless told to wait; these have to be there before it is loaded.
const uvu = globalThis as unknown as { UVU_DEFER: number; UVU_INDEX: number; UVU_QUEUE: unknown[][] };
uvu.UVU_DEFER = 1;
uvu.UVU_INDEX = 0;
uvu.UVU_QUEUE = [];
// What opens itself when it is first used must not count as left open by the file that does.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit(1));

/** What keeps the process from ending, by kind. */
function open(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function leftOpen(before: ReadonlyMap<string, number>): string[] {
  return [...open()].flatMap(([kind, count]) => {
    const surplus = count - (before.get(kind) ?? 0);
    return surplus > 0 ? [`${surplus} ${kind}`] : [];
  });
}

/** Waits until all that a file has opened is closed; the kinds of what is not. */
async function closed(before: ReadonlyMap<string, number>): Promise<string[]> {
  const startedMs = performance.now();
  for (let waitMs = 0; performance.now() - startedMs < CLOSING_LIMIT_MS; waitMs = Math.min(50, waitMs + 1)) {
    // Looked at when no timer of ours is running.
    if (leftOpen(before).length === 0) return [];
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return leftOpen(before);
}

async function runFile(path: string): Promise<FileEnd> {
  const before = open();
  uvu.UVU_QUEUE = [[null]];
  const { exec } = await import('uvu');
  await import(pathToFileURL(path).href);
  const suites = (uvu.UVU_QUEUE[0]?.length ?? 0) - 1;
  await exec();
  process.exitCode = 0; // uvu's; the totals say it
  return { suites, leftOpen: await closed(before) };
}

// Without a path: no file is left, and nothing must keep this process from ending by itself.
process.on('message', ({ path }: { readonly path?: string }) => {
  if (path === undefined) process.disconnect();
  else void runFile(path).then((end) => process.stdout.write(`${END}${JSON.stringify(end)}\n`));
});
