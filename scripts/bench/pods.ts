/**
 * Measures the agent's pods beside the bare engine, on one and the same engine: restart after a kill, start and memory of
 * a one-container pod, cold start of ten cached pods. By itself, against an engine that has the image:
 *
 *   node --import tsx scripts/bench/pods.ts --socket /run/docker.sock [--image busybox:2] [--quick]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PodManager } from '../../edge-agent/pods/pod-manager.ts';
import { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { PodStatus } from '../../protocol/kinds/pod.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import { startEngine } from '../../test/e2e/private-engine.ts';
import { type Bench, median, type Report, ratioFigure } from './figure.ts';
import { RawEngine } from './raw-engine.ts';

const WIDTH = cpus().length * 4;
const NETWORK = { name: 'coxbench', bridge: 'coxb0', masquerade: true };
const CIDR = '10.202.9.0/24';
const LIMIT_MS = 60_000;
const MEGABYTE = 1_000_000;
const nowMs = (): number => performance.now();

/** What all measurements share. */
interface Bed {
  readonly runtime: DockerRuntime;
  readonly raw: RawEngine;
  readonly image: string;
  readonly rounds: number;
  readonly folder: string;
  readonly report: Report;
}

function pod(bed: Bed, number: number): DesiredPod {
  return {
    metadata: { name: `pod-${number}`, namespace: 'bench', uid: `bench-${number}` },
    spec: {
      containers: [
        { name: 'main', image: bed.image, command: ['sleep', '1000000'], imagePullPolicy: 'IfNotPresent' },
      ],
      terminationGracePeriodSeconds: 0,
    },
  };
}

/** An agent of its own folders; `running` is what it has reported. */
class Agent {
  readonly manager: PodManager;
  readonly statuses = new Map<string, PodStatus>();
  readonly #abort = new AbortController();

  constructor({ runtime, folder }: Bed) {
    this.manager = new PodManager({
      runtime,
      clock: systemClock,
      log: silentLogger,
      sinks: { onStatus: (report) => this.statuses.set(report.uid, report.status), onEvent: () => undefined },
      node: {
        nodeName: 'bench',
        hostIp: () => '127.0.0.1',
        cpuMilli: 1000,
        memoryBytes: totalmem(),
        network: NETWORK,
      },
      dataDir: join(folder, 'data'),
      runDir: join(folder, 'run'),
      concurrency: WIDTH,
    });
  }

  desire(pods: readonly DesiredPod[]): void {
    this.manager.setDesired({
      pods: new Map(pods.map((p) => [p.metadata.uid, p])),
      configMaps: new Map(),
      secrets: new Map(),
      tokens: new Map(),
      node: { podCIDR: CIDR },
    });
  }

  isRunning(uid: string): boolean {
    const status = this.statuses.get(uid);
    return status?.phase === 'Running' && status.containerStatuses?.every((c) => c.ready) === true;
  }

  start(): Promise<void> {
    return this.manager.start(this.#abort.signal);
  }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = nowMs() + LIMIT_MS;
  while (!(await holds())) {
    if (nowMs() > endMs) throw new Error(`not within ${LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function restartAfterKill(bed: Bed, agent: Agent): Promise<void> {
  const { raw, runtime } = bed;
  const bare = await raw.run(bed.image, NETWORK.name);
  let onStart = (_id: string): void => undefined;
  const stop = await raw.watch((action, id) => {
    if (action === 'start') onStart(id);
  });
  const stopLoop = await raw.watch((action, id) => {
    if (action === 'die' && id === bare) void raw.start(bare);
  });
  const killAndWait = async (id: string, isNext: (started: string) => boolean): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const started = new Promise<number>((resolve) => {
      onStart = (startedId) => {
        if (isNext(startedId)) resolve(nowMs());
      };
    });
    const sinceMs = nowMs();
    await raw.kill(id);
    return (await started) - sinceMs;
  };
  const bareMs: number[] = [];
  const podMs: number[] = [];
  for (let i = 0; i < bed.rounds; i++) {
    bareMs.push(await killAndWait(bare, (id) => id === bare));
    const number = 1000 + i;
    agent.desire([pod(bed, number)]);
    await until(() => agent.isRunning(`bench-${number}`));
    const container = agent.manager.containersOf(`bench-${number}`)[0]?.id ?? '';
    podMs.push(await killAndWait(container, (id) => id !== bare));
    agent.desire([]);
    await until(async () => (await runtime.list()).length === 0);
  }
  stop();
  stopLoop();
  await raw.remove(bare);
  const name = 'main process killed -> container running again';
  bed.report(
    ratioFigure(
      name,
      median(podMs),
      median(bareMs),
      'ms',
      1.15,
      'beside a loop that starts it on the die event',
    ),
  );
}

async function startOfOne(bed: Bed, agent: Agent): Promise<void> {
  const { raw, runtime } = bed;
  const bareMs: number[] = [];
  const podMs: number[] = [];
  const bareBytes: number[] = [];
  const podBytes: number[] = [];
  for (let i = 0; i < bed.rounds; i++) {
    const sinceBareMs = nowMs();
    const bare = await raw.run(bed.image, NETWORK.name);
    bareMs.push(nowMs() - sinceBareMs);
    bareBytes.push(memoryOf(bare));
    await raw.remove(bare);
    const id = 2000 + i;
    const sincePodMs = nowMs();
    agent.desire([pod(bed, id)]);
    await until(() => agent.isRunning(`bench-${id}`));
    podMs.push(nowMs() - sincePodMs);
    const ids = agent.manager.containersOf(`bench-${id}`).map((c) => c.id);
    podBytes.push(ids.reduce((sum, containerId) => sum + memoryOf(containerId), 0));
    agent.desire([]);
    await until(async () => !(await runtime.list()).some((c) => c.podUid === `bench-${id}`));
  }
  const start = 'one-container pod, desired -> running, beside create and start';
  bed.report(ratioFigure(start, median(podMs), median(bareMs), 'ms', 1.1));
  if (median(bareBytes) === 0) return;
  const [podMb, bareMb] = [median(podBytes) / MEGABYTE, median(bareBytes) / MEGABYTE];
  bed.report(ratioFigure('memory of a one-container pod with its shim', podMb, bareMb, 'MB', 1.1, 'PSS'));
}

/** Proportional memory of a container's shim and everything below it; 0 where its processes cannot be seen. */
function memoryOf(containerId: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const shim = pids.find((pid) => {
    const words = read(`/proc/${pid}/cmdline`).split('\0');
    return words[0]?.includes('containerd-shim') === true && words.includes(containerId);
  });
  return shim === undefined ? 0 : treeOf(shim).reduce((sum, pid) => sum + pssOf(pid), 0);
}

function treeOf(pid: string): string[] {
  const children = read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((child) => child.trim() !== '');
  return [pid, ...children.flatMap(treeOf)];
}

function pssOf(pid: string): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process ended between two looks.
    return '';
  }
}

async function coldStart(bed: Bed): Promise<void> {
  const pods = Array.from({ length: 10 }, (_, i) => pod(bed, 3000 + i));
  const podMs: number[] = [];
  const bareMs: number[] = [];
  for (let i = 0; i < Math.min(3, bed.rounds); i++) {
    const first = new Agent(bed);
    first.desire(pods);
    await first.start();
    await until(() => pods.every((p) => first.isRunning(p.metadata.uid)));
    await first.manager.stop();
    await killAll(bed);
    bareMs.push(await rawStarts(bed, pods.length));
    const second = new Agent(bed);
    const sinceMs = nowMs();
    second.desire(pods);
    await second.start();
    await until(() => pods.every((p) => second.isRunning(p.metadata.uid)));
    podMs.push(nowMs() - sinceMs);
    second.desire([]);
    await until(async () => (await bed.runtime.list()).length === 0);
    await second.manager.stop();
  }
  bed.report(
    ratioFigure('agent started -> 10 cached pods running', median(podMs), median(bareMs), 'ms', 1.2),
  );
}

/** As a power cut leaves them: all ended. */
async function killAll({ runtime }: Bed): Promise<void> {
  const running = (await runtime.list()).filter((c) => c.state === 'running');
  await Promise.all(running.map((c) => runtime.kill(c.id, 'SIGKILL')));
  await until(async () => (await runtime.list()).every((c) => c.state === 'exited'));
}

async function rawStarts({ raw, image }: Bed, count: number): Promise<number> {
  let left = count;
  const sinceMs = nowMs();
  const next = async (): Promise<void> => {
    while (left-- > 0) await raw.run(image, NETWORK.name);
  };
  await Promise.all(Array.from({ length: WIDTH }, next));
  const tookMs = nowMs() - sinceMs;
  await raw.clean();
  return tookMs;
}

/** Measures on the engine of this socket, which must have the image and run nothing of Coxswain's. */
async function measure(socketPath: string, image: string, rounds: number, report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'coxbench-'));
  const runtime = new DockerRuntime({ socketPath, networkName: NETWORK.name });
  const bed: Bed = { runtime, raw: new RawEngine(socketPath), image, rounds, folder, report };
  await runtime.ensureNetwork({ ...NETWORK, cidr: CIDR, gateway: '10.202.9.1' });
  const agent = new Agent(bed);
  agent.desire([]);
  await agent.start();
  await until(() => agent.manager.engineReady);
  await restartAfterKill(bed, agent);
  await startOfOne(bed, agent);
  await agent.manager.stop();
  await coldStart(bed);
  await bed.raw.removeNetwork(NETWORK.name);
  rmSync(folder, { recursive: true, force: true });
}

/** The agent's pods beside the bare engine, on a private engine. Needs root. */
export const benchPods: Bench = async (report, { quick }) => {
  const engine = await startEngine();
  try {
    await measure(engine.socketPath, 'busybox:2', quick ? 3 : 9, report);
  } finally {
    await engine.stop();
  }
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string', default: '/run/docker.sock' },
      image: { type: 'string', default: 'busybox:2' },
      quick: { type: 'boolean', default: false },
    },
  });
  const print: Report = (figure) => void process.stdout.write(`${JSON.stringify(figure)}\n`);
  await measure(values.socket, values.image, values.quick ? 3 : 9, print);
}
