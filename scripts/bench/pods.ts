/**
 * Measures the agent's pods against the bare engine, both on the engine whose socket is given, and prints JSON lines:
 * restart after a kill, start of a one-container pod and what it costs in memory, cold start of ten cached pods.
 *
 *   node --import tsx scripts/bench/pods.ts --socket /run/docker.sock [--image busybox:2] [--rounds 7]
 *
 * The image must be on the engine and have `sleep`. Run it where the engine's processes are visible and nothing else runs.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PodManager } from '../../edge-agent/pods/pod-manager.ts';
import { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { PodStatus } from '../../protocol/kinds/pod.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import { BareEngine } from './bare-engine.ts';

const { values } = parseArgs({
  options: {
    socket: { type: 'string', default: '/run/docker.sock' },
    image: { type: 'string', default: 'busybox:2' },
    rounds: { type: 'string', default: '7' },
  },
});
const ROUNDS = Number(values.rounds);
const WIDTH = cpus().length * 4;
const NETWORK = { name: 'coxbench', bridge: 'coxb0', masquerade: true };
const CIDR = '10.202.9.0/24';
const LIMIT_MS = 60_000;

const runtime = new DockerRuntime({ socketPath: values.socket, networkName: NETWORK.name });
const print = (line: Record<string, unknown>): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const round = (value: number, digits = 0): number => Number(value.toFixed(digits));
const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
const nowMs = (): number => performance.now();

const bareEngine = new BareEngine(values.socket);
let bareCount = 0;
const createBare = (): Promise<string> =>
  bareEngine.create(`coxbench_bare_${process.pid}_${++bareCount}`, values.image, NETWORK.name);

function pod(number: number): DesiredPod {
  return {
    metadata: { name: `pod-${number}`, namespace: 'bench', uid: `bench-${number}` },
    spec: {
      containers: [
        { name: 'main', image: values.image, command: ['sleep', '1000000'], imagePullPolicy: 'IfNotPresent' },
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

  constructor(folder: string) {
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

async function restartAfterKill(agent: Agent): Promise<void> {
  const bare = await createBare();
  await bareEngine.start(bare);
  let onStart = (_id: string): void => undefined;
  const stop = await bareEngine.watch(({ action, id }) => {
    if (action === 'start') onStart(id);
  });
  const stopLoop = await bareEngine.watch(({ action, id }) => {
    if (action === 'die' && id === bare) void bareEngine.start(bare);
  });
  const killAndWait = async (id: string, isNext: (started: string) => boolean): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const started = new Promise<number>((resolve) => {
      onStart = (startedId) => {
        if (isNext(startedId)) resolve(nowMs());
      };
    });
    const sinceMs = nowMs();
    await bareEngine.kill(id);
    return (await started) - sinceMs;
  };
  const bareMs: number[] = [];
  const podMs: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    bareMs.push(await killAndWait(bare, (id) => id === bare));
    const number = 1000 + i;
    agent.desire([pod(number)]);
    await until(() => agent.isRunning(`bench-${number}`));
    const container = agent.manager.containersOf(`bench-${number}`)[0]?.id ?? '';
    podMs.push(await killAndWait(container, (id) => id !== bare));
    agent.desire([]);
    await until(async () => (await runtime.list()).length === 0);
  }
  stop();
  stopLoop();
  await bareEngine.remove(bare);
  const ratio = round(median(podMs) / median(bareMs), 3);
  print({
    bench: 'restart-after-kill',
    bareMs: round(median(bareMs)),
    podMs: round(median(podMs)),
    ratio,
    target: 1.15,
  });
}

async function startOfOne(agent: Agent): Promise<void> {
  const bareMs: number[] = [];
  const podMs: number[] = [];
  const bareBytes: number[] = [];
  const podBytes: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const sinceBareMs = nowMs();
    const bare = await createBare();
    await bareEngine.start(bare);
    bareMs.push(nowMs() - sinceBareMs);
    bareBytes.push(memoryOf(bare));
    await bareEngine.remove(bare);
    const id = 2000 + i;
    const sincePodMs = nowMs();
    agent.desire([pod(id)]);
    await until(() => agent.isRunning(`bench-${id}`));
    podMs.push(nowMs() - sincePodMs);
    const ids = agent.manager.containersOf(`bench-${id}`).map((c) => c.id);
    podBytes.push(ids.reduce((sum, containerId) => sum + memoryOf(containerId), 0));
    agent.desire([]);
    await until(async () => !(await runtime.list()).some((c) => c.podUid === `bench-${id}`));
  }
  const ratio = round(median(podMs) / median(bareMs), 3);
  print({
    bench: 'start-of-one-pod',
    bareMs: round(median(bareMs)),
    podMs: round(median(podMs)),
    ratio,
    target: 1.4,
  });
  const bytes = { bareBytes: median(bareBytes), podBytes: median(podBytes) };
  const memoryRatio = bytes.bareBytes > 0 ? round(bytes.podBytes / bytes.bareBytes, 3) : undefined;
  print({ bench: 'memory-of-one-pod', ...bytes, ratio: memoryRatio, target: 1.1 });
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

async function coldStart(folder: string): Promise<void> {
  const pods = Array.from({ length: 10 }, (_, i) => pod(3000 + i));
  const podMs: number[] = [];
  const bareMs: number[] = [];
  for (let i = 0; i < Math.min(3, ROUNDS); i++) {
    const first = new Agent(folder);
    first.desire(pods);
    await first.start();
    await until(() => pods.every((p) => first.isRunning(p.metadata.uid)));
    await first.manager.stop();
    await killAll();
    bareMs.push(await rawStarts(pods.length));
    const second = new Agent(folder);
    const sinceMs = nowMs();
    second.desire(pods);
    await second.start();
    await until(() => pods.every((p) => second.isRunning(p.metadata.uid)));
    podMs.push(nowMs() - sinceMs);
    second.desire([]);
    await until(async () => (await runtime.list()).length === 0);
    await second.manager.stop();
  }
  const ratio = round(median(podMs) / median(bareMs), 3);
  print({
    bench: 'cold-start-of-ten',
    bareMs: round(median(bareMs)),
    podMs: round(median(podMs)),
    ratio,
    target: 1.2,
  });
}

/** As a power cut leaves them: all ended. */
async function killAll(): Promise<void> {
  const running = (await runtime.list()).filter((c) => c.state === 'running');
  await Promise.all(running.map((c) => runtime.kill(c.id, 'SIGKILL')));
  await until(async () => (await runtime.list()).every((c) => c.state === 'exited'));
}

async function rawStarts(count: number): Promise<number> {
  let left = count;
  const ids: string[] = [];
  const sinceMs = nowMs();
  const next = async (): Promise<void> => {
    while (left-- > 0) {
      const id = await createBare();
      ids.push(id);
      await bareEngine.start(id);
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, next));
  const tookMs = nowMs() - sinceMs;
  await Promise.all(ids.map((id) => bareEngine.remove(id)));
  return tookMs;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'coxbench-'));
  await runtime.ensureNetwork({ ...NETWORK, cidr: CIDR, gateway: '10.202.9.1' });
  const info = await runtime.info();
  print({ bench: 'engine', version: info.version, cores: cpus().length, width: WIDTH, rounds: ROUNDS });
  const agent = new Agent(folder);
  agent.desire([]);
  await agent.start();
  await until(() => agent.manager.engineReady);
  await restartAfterKill(agent);
  await until(async () => (await runtime.list()).length === 0);
  await agent.manager.stop();
  const second = new Agent(folder);
  second.desire([]);
  await second.start();
  await startOfOne(second);
  await second.manager.stop();
  await coldStart(folder);
  await bareEngine.removeNetwork(NETWORK.name);
  rmSync(folder, { recursive: true, force: true });
}

await main();
