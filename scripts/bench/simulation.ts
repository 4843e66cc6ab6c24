/**
 * A thousand devices and ten thousand pods: real hub, real MQTT, real agents on engines in memory. Also says what must never be seen.
 * The devices run at a lower priority than hub and client: in reality they are other machines.
 *
 *   npm run bench -- --only simulation
 */
import { percentile } from '../../test/simulator/prober.ts';
import { Storm } from '../../test/simulator/storm.ts';
import { type Bench, limitFigure, type Report } from './figure.ts';
import { turnBound, turnsIn, turnsSince } from './turns.ts';

const FULL = { devices: 1000, perProcess: 100, pods: 10_000, rolling: 1000 };
const QUICK = { devices: 100, perProcess: 10, pods: 1000, rolling: 100 };
const LIMIT_MS = 600_000;
const MIB = 1024 * 1024;
const MAX_RSS_MIB = 600;
const MAX_WRITE_MS = 100;

export const benchSimulation: Bench = async (report, { quick }) => {
  const size = quick ? QUICK : FULL;
  const joinedMs = performance.now();
  const storm = await Storm.start({ ...size, limitMs: LIMIT_MS, bundled: true });
  try {
    const fleet = `${size.devices} nodes`;
    report({
      name: `${fleet} started -> all Ready`,
      value: (performance.now() - joinedMs) / 1000,
      unit: 's',
    });
    const rest = size.pods - size.rolling;
    await step(storm, report, `${fleet}: ${rest} pods`, () => storm.deploy('many', rest), rest);
    await step(
      storm,
      report,
      `${fleet}: ${size.rolling} more pods`,
      () => storm.deploy('web', size.rolling),
      size.rolling,
    );
    storm.ledger.setFloor('web', Math.floor(size.rolling * 0.95));
    await step(
      storm,
      report,
      `rolling update of ${size.rolling} pods`,
      () => storm.roll('web', size.rolling),
      size.rolling,
    );
    storm.ledger.clearFloor('web');
    const [group] = storm.fleet.groups;
    if (group === undefined) throw new Error('no devices');
    const name = `${group.names.length} nodes lost at once -> their pods ready elsewhere`;
    await step(storm, report, name, () => storm.lose(group, 'many', rest));
    const restarts = storm.ledger.restarts;
    report({
      name: "the bench's own watch of all pods cut off for slowness",
      value: restarts,
      unit: 'times',
    });
    for (const what of storm.ledger.broken) report({ name: `BROKEN: ${what}`, value: 1, unit: '' });
    report(
      limitFigure(
        `hub, ${fleet}, ${size.pods} pods: most memory (RSS)`,
        storm.hub.peakBytes / MIB,
        'MiB',
        MAX_RSS_MIB,
      ),
    );
  } finally {
    await storm.stop();
  }
};

/** Runs one part of the storm with a prober beside it. */
async function step(
  storm: Storm,
  report: Report,
  name: string,
  run: () => Promise<void>,
  pods?: number,
): Promise<void> {
  const prober = await storm.probe();
  const turns = turnsIn(await storm.api.text('/metrics'));
  const { cpuMs, starvedMs } = storm.hub;
  const sinceMs = performance.now();
  try {
    await run();
  } finally {
    await prober.stop();
  }
  const tookS = (performance.now() - sinceMs) / 1000;
  report({ name, value: tookS, unit: 's' });
  if (pods !== undefined) report({ name: `${name}, a second`, value: pods / tookS, unit: 'pods/s' });
  report({ name: `${name}: processor time of the hub`, value: (storm.hub.cpuMs - cpuMs) / 1000, unit: 's' });
  report({
    name: `${name}: the hub waited for a processor`,
    value: (storm.hub.starvedMs - starvedMs) / 1000,
    unit: 's',
    note: 'run queue of its main thread: part of every delay below',
  });
  report(
    limitFigure(`${name}: API writes meanwhile, p99`, percentile(prober.writesMs, 0.99), 'ms', MAX_WRITE_MS),
  );
  report({
    name: `${name}: /livez meanwhile, p99 (event loop)`,
    value: percentile(prober.livezMs, 0.99),
    unit: 'ms',
  });
  const meanwhile = turnsSince(turnsIn(await storm.api.text('/metrics')), turns);
  report({
    name: `${name}: turns of the hub's event loop, 99 % of busy time at most`,
    value: turnBound(meanwhile, 0.99),
    unit: 'ms',
  });
  report({
    name: `${name}: longest turn of the hub's event loop, at most`,
    value: turnBound(meanwhile, 1),
    unit: 'ms',
  });
}
