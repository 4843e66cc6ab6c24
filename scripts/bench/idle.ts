/** What hub and agent cost when nothing happens: memory, CPU, bytes written, bytes on the link. */
import { allReady, deployment, nodesReady } from '../../test/e2e/cluster.ts';
import { type Lab, startLab } from '../../test/e2e/lab.ts';
import { type Bench, limitFigure, type Report } from './figure.ts';
import { type ProcessSample, sampleProcess } from './process.ts';

const MIB = 1024 * 1024;
const FULL_MS = 600_000;
const QUICK_MS = 60_000;

/** IPv4 bytes that the node's kernel sent and took in, headers included: what a metered link counts. */
async function ipBytes(lab: Lab, node: string): Promise<number> {
  const [names = [], values = []] = (await lab.exec(node, 'cat', '/proc/net/netstat'))
    .split('\n')
    .filter((line) => line.startsWith('IpExt:'))
    .map((line) => line.split(' '));
  const of = (name: string): number => Number(values[names.indexOf(name)]);
  return of('InOctets') + of('OutOctets');
}

function reportProcess(
  report: Report,
  who: string,
  before: ProcessSample,
  after: ProcessSample,
  windowMs: number,
  limits: { rss: number; private?: number; cpu: number },
): void {
  const note = `over ${Math.round(windowMs / 1000)} s`;
  report(limitFigure(`${who}: resident memory`, after.rssBytes / MIB, 'MiB', limits.rss, note));
  if (limits.private !== undefined)
    report(limitFigure(`${who}: private memory`, after.privateBytes / MIB, 'MiB', limits.private, note));
  report({ name: `${who}: proportional memory (PSS)`, value: after.pssBytes / MIB, unit: 'MiB', note });
  report(limitFigure(`${who}: CPU`, ((after.cpuMs - before.cpuMs) / windowMs) * 100, '%', limits.cpu, note));
  report(limitFigure(`${who}: written`, after.writtenBytes - before.writtenBytes, 'B', 0, note));
}

async function measure(report: Report, windowMs: number): Promise<void> {
  const lab = await startLab({ workers: 3, name: 'idle' });
  try {
    await nodesReady(lab);
    await lab.apply(deployment('idle', { replicas: 30 }));
    await allReady(lab, 'idle', 30, 120_000);
    await settled(lab);
    const agentPid = (await lab.pids('worker-1'))['agent'] ?? 0;
    const hubPid = (await lab.pids('hub'))['hub'] ?? 0;
    const start = {
      agent: sampleProcess(agentPid),
      hub: sampleProcess(hubPid),
      ip: await ipBytes(lab, 'worker-1'),
      atMs: performance.now(),
    };
    await new Promise((resolve) => setTimeout(resolve, windowMs));
    const tookMs = performance.now() - start.atMs;
    reportProcess(report, 'agent, idle, 10 pods', start.agent, sampleProcess(agentPid), tookMs, {
      rss: 70,
      private: 25,
      cpu: 0.3,
    });
    reportProcess(report, 'hub, idle, 3 nodes, 30 pods', start.hub, sampleProcess(hubPid), tookMs, {
      rss: 90,
      cpu: 0.5,
    });
    report(
      limitFigure(
        'idle traffic of a node, default profile',
        ((await ipBytes(lab, 'worker-1')) - start.ip) / (tookMs / 1000),
        'B/s',
        60,
      ),
    );
  } finally {
    await lab.stop();
  }
}

/**
 * Waits until neither hub nor agent has burnt 50 ms of CPU in any 5 s of the last 25: the work of starting is over, and the agents
 * have told what their boards are, which they do after 15 s.
 */
async function settled(lab: Lab): Promise<void> {
  const pids = [(await lab.pids('worker-1'))['agent'] ?? 0, (await lab.pids('hub'))['hub'] ?? 0];
  let last = Number.NaN;
  let calmLooks = 0;
  await lab.eventually(
    () => {
      const now = pids.reduce((sum, pid) => sum + sampleProcess(pid).cpuMs, 0);
      calmLooks = now - last <= 50 ? calmLooks + 1 : 0;
      last = now;
      return calmLooks >= 5;
    },
    { withinMs: 120_000, everyMs: 5000 },
  );
}

async function measureMetered(report: Report, windowMs: number): Promise<void> {
  const lab = await startLab({ workers: 1, name: 'meter', env: { LAB_AGENT_ARGS: '--profile metered' } });
  try {
    await nodesReady(lab);
    await settled(lab);
    const startBytes = await ipBytes(lab, 'worker-1');
    const startMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, windowMs));
    const rate = ((await ipBytes(lab, 'worker-1')) - startBytes) / ((performance.now() - startMs) / 1000);
    report(limitFigure('idle traffic of a node, metered profile', rate, 'B/s', 15));
  } finally {
    await lab.stop();
  }
}

export const benchIdle: Bench = async (report, { quick }) => {
  await measure(report, quick ? QUICK_MS : FULL_MS);
  await measureMetered(report, quick ? QUICK_MS * 2 : FULL_MS);
};
