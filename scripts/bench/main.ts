/**
 * npm run bench [-- [--quick] [--only NAME,...]]: measures on real parts and prints one JSON line a figure and a table at the end.
 * `idle`, `fleet` and `streams` need root and bring up a lab of their own. Nothing here is a test: a missed target is shown, not failed.
 */
import { parseArgs } from 'node:util';
import { type Bench, type Figure, shown } from './figure.ts';

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  scheduler: async () => (await import('./scheduler.ts')).benchScheduler,
  store: async () => (await import('./store.ts')).benchStore,
  rights: async () => (await import('./rights.ts')).benchRights,
  api: async () => (await import('./api-load.ts')).benchApiLoad,
  pods: async () => (await import('./pods.ts')).benchPods,
  streams: async () => (await import('./streams.ts')).benchStreams,
  fleet: async () => (await import('./fleet.ts')).benchFleet,
  simulation: async () => (await import('./simulation.ts')).benchSimulation,
  idle: async () => (await import('./idle.ts')).benchIdle,
};

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } },
});
const wanted = values.only?.split(',') ?? Object.keys(BENCHES);
const figures: Figure[] = [];

for (const name of wanted) {
  const load = BENCHES[name];
  if (load === undefined) throw new Error(`no bench "${name}"; there are ${Object.keys(BENCHES).join(', ')}`);
  process.stderr.write(`bench ${name} ...\n`);
  const run = await load();
  await run(
    (figure) => {
      figures.push(figure);
      process.stdout.write(`${JSON.stringify({ bench: name, ...figure })}\n`);
    },
    { quick: values.quick },
  );
}

const rows = figures.map((f) => [
  f.ok === undefined ? '    ' : f.ok ? 'ok  ' : 'MISS',
  f.name,
  `${shown(f.value)} ${f.unit}`,
  f.ratio === undefined ? '' : `x${f.ratio.toFixed(2)}`,
  f.target ?? '',
]);
const widths = [0, 1, 2, 3, 4].map((i) => Math.max(0, ...rows.map((row) => row[i]?.length ?? 0)));
for (const row of rows)
  process.stdout.write(
    `${row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()}\n`,
  );
