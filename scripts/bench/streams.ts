/** What streams cost hub and agent: the delay of heartbeats under a log, the memory that a large transfer takes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { get } from 'node:http';
import { nodesReady } from '../../test/e2e/cluster.ts';
import { type Lab, startLab } from '../../test/e2e/lab.ts';
import { BenchApi } from './api.ts';
import { type Bench, limitFigure, type Report } from './figure.ts';
import { sampleProcess } from './process.ts';

const MIB = 1024 * 1024;
/** A line; one after the other with 0.1 s between them, and the time of making one, is a little more than 5 MB/s. */
const LINE_BYTES = 700_000;
const LOOK_MS = 50;

async function run(lab: Lab, name: string, script: string, ready: object = {}): Promise<void> {
  const container = {
    name: 'main',
    image: 'busybox:latest',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', script],
    ...ready,
  };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 0, containers: [container] },
  };
  await lab.apply(JSON.stringify(pod));
  await lab.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=120s');
}

/** A kubectl that goes on; `bytes` counts what it printed, `text` is its beginning. */
class Running {
  bytes = 0;
  text = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  constructor(lab: Lab, ...args: string[]) {
    this.#child = spawn('kubectl', ['--kubeconfig', lab.kubeconfig, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (this.text.length < 1000) this.text += chunk.toString('latin1');
    });
    this.#ended = new Promise((resolve) => this.#child.on('close', () => resolve()));
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGINT');
    await this.#ended;
  }
}

/** The longest time without a heartbeat of worker-1 while `busy` lasts, as the hub knows it, in ms. */
async function longestGap(api: BenchApi, busy: (nowMs: number) => boolean): Promise<number> {
  let longest = 0;
  const startMs = performance.now();
  while (busy(performance.now() - startMs)) {
    const { items } = (await api.ask('GET', '/coxswain/v1/nodes')) as { items: { ageMs?: number }[] };
    longest = Math.max(longest, items[0]?.ageMs ?? 0);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return longest;
}

async function heartbeats(lab: Lab, api: BenchApi, report: Report, windowMs: number): Promise<void> {
  const line = `head -c ${LINE_BYTES - 1} /dev/zero | tr '\\0' x; echo`;
  await run(lab, 'loud', `while true; do ${line}; sleep 0.1; done`);
  const calm = await longestGap(api, (ms) => ms < windowMs);
  const log = new Running(lab, 'logs', '-f', '--tail=1', 'loud');
  try {
    await lab.eventually(() => log.bytes > MIB, { withinMs: 30_000 });
    const before = log.bytes;
    const loud = await longestGap(api, (ms) => ms < windowMs);
    const rate = (log.bytes - before) / (windowMs / 1000) / 1e6;
    report(
      limitFigure(
        'longest wait for a heartbeat under a log, beyond the calm one',
        Math.max(0, loud - calm),
        'ms',
        1000,
        `${rate.toFixed(1)} MB/s followed for ${windowMs / 1000} s; ${Math.round(calm)} ms when calm, ${Math.round(loud)} ms under it`,
      ),
    );
  } finally {
    await log.stop();
    await lab.kubectl('delete', 'pod', 'loud');
  }
}

/** Reads to the end; resolves to the number of bytes. */
function download(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('error', reject);
      response.on('end', () => resolve(bytes));
    }).on('error', reject);
  });
}

async function forwarded(lab: Lab, api: BenchApi, report: Report, bytes: number): Promise<void> {
  await run(
    lab,
    'web',
    `mkdir /srv; head -c ${bytes} /dev/zero >/srv/big; head -c ${50 * MIB} /dev/zero >/srv/small; exec httpd -f -p 8080 -h /srv`,
    { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } },
  );
  const forward = new Running(lab, 'port-forward', 'pod/web', ':8080');
  try {
    const port = await lab.eventually(() => /127\.0\.0\.1:(\d+)/.exec(forward.text)?.[1], {
      withinMs: 20_000,
    });
    const pids = {
      hub: (await lab.pids('hub'))['hub'] ?? 0,
      agent: (await lab.pids('worker-1'))['agent'] ?? 0,
    };
    await lab.eventually(async () => (await download(`http://127.0.0.1:${port}/small`)) === 50 * MIB, {
      withinMs: 60_000,
    });
    const before = { hub: sampleProcess(pids.hub).rssBytes, agent: sampleProcess(pids.agent).rssBytes };
    const most = { ...before };
    const startMs = performance.now();
    let got: number | undefined;
    const all = download(`http://127.0.0.1:${port}/big`).then((n) => {
      got = n;
    });
    const gap = await longestGap(api, () => {
      most.hub = Math.max(most.hub, sampleProcess(pids.hub).rssBytes);
      most.agent = Math.max(most.agent, sampleProcess(pids.agent).rssBytes);
      return got === undefined;
    });
    await all;
    const tookS = (performance.now() - startMs) / 1000;
    if (got !== bytes) throw new Error(`${got} of ${bytes} bytes came`);
    const what = `${bytes / MIB} MiB through kubectl port-forward`;
    report({
      name: what,
      value: bytes / MIB / tookS,
      unit: 'MiB/s',
      note: `longest wait for a heartbeat ${Math.round(gap)} ms`,
    });
    for (const who of ['hub', 'agent'] as const)
      report(
        limitFigure(
          `${what}: ${who}'s memory above that after 50 MiB`,
          (most[who] - before[who]) / MIB,
          'MiB',
          32,
          `most seen ${(most[who] / MIB).toFixed(0)} MiB`,
        ),
      );
  } finally {
    await forward.stop();
  }
}

/** Heartbeats under a log of 5 MB/s, and memory under a transfer of 1 GiB. */
export const benchStreams: Bench = async (report, { quick }) => {
  const lab = await startLab({ workers: 1, name: 'streams' });
  try {
    await nodesReady(lab);
    const api = await BenchApi.open(lab.kubeconfig);
    await heartbeats(lab, api, report, quick ? 15_000 : 60_000);
    await forwarded(lab, api, report, quick ? 256 * MIB : 1024 * MIB);
  } finally {
    await lab.stop();
  }
};
