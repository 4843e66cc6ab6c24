/**
 * Runs several test files in one process, one after the other, so that Node, tsx and the modules they share are loaded once. Each
 * file must bring at least one suite: uvu says nothing of one that was never run.
 *
 *   node --import tsx test/batch.ts FILE...
 */
import { pathToFileURL } from 'node:url';

// uvu starts by itself unless told to wait; both have to be there before it is loaded.
const uvu = globalThis as unknown as { UVU_DEFER: number; UVU_INDEX: number; UVU_QUEUE: unknown[][] };
uvu.UVU_DEFER = 1;
uvu.UVU_QUEUE = [];
const { exec } = await import('uvu');

const files = process.argv.slice(2);
for (const [index, file] of files.entries()) {
  uvu.UVU_INDEX = index;
  uvu.UVU_QUEUE.push([file]);
  await import(pathToFileURL(file).href);
  if (uvu.UVU_QUEUE[index]?.length === 1) throw new Error(`${file} ran no test`);
}
await exec();
