/** Load on the Ready pods of an app, as a Service would spread it: one generator on every device, fed by a watch. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { isReady, nodeOf } from './cluster.ts';
import type { Lab } from './lab.ts';
import type { Told } from './load-generator.ts';

const GENERATOR = fileURLToPath(new URL('./load-generator.ts', import.meta.url));
const PORT = 8080;

/** What all generators saw together, and the fewest endpoints that were Ready at one time. */
export interface LoadReport {
  readonly sent: number;
  readonly asked: number;
  readonly failed: readonly string[];
  readonly fewestReady: number;
}

/** Requests that go on until `stop`. */
export interface ServiceLoad {
  stop(): Promise<LoadReport>;
}

/** One generator inside a device. */
export interface Generator {
  readonly node: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** Settles once it has read whom to ask. */
  readonly up: Promise<void>;
  /** Settles after its standard input was ended. */
  readonly told: Promise<Told>;
}

/** Begins to send requests to the Ready pods labelled `app: NAME`; resolves once all generators run. */
export async function startLoad(lab: Lab, app: string): Promise<ServiceLoad> {
  const generators = (await lab.nodes()).map((node) => startGenerator(lab, node));
  const pods = new Map<string, Pod>();
  let fewestReady = Number.POSITIVE_INFINITY;
  const list = await lab.get<{ items: Pod[]; metadata: { resourceVersion: string } }>(
    'pods',
    '-l',
    `app=${app}`,
  );
  const tell = (): void => {
    // As EndpointSlices have it: what is being deleted is no endpoint, Ready or not.
    const serving = [...pods.values()].filter(
      (pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined && pod.status?.podIP,
    );
    fewestReady = Math.min(fewestReady, serving.length);
    for (const { node, child } of generators) {
      const addresses = serving
        .filter((pod) => nodeOf(pod) === node)
        .map((pod) => `${pod.status?.podIP}:${PORT}`);
      child.stdin.write(`${JSON.stringify(addresses)}\n`);
    }
  };
  for (const pod of list.items) pods.set(pod.metadata.uid, pod);
  tell();
  const path = `/api/v1/namespaces/default/pods?watch=1&labelSelector=app%3D${app}&resourceVersion=${list.metadata.resourceVersion}`;
  const watch = lab.stream('kubectl', '--kubeconfig', lab.kubeconfig, 'get', '--raw', path);
  createInterface({ input: watch.stdout }).on('line', (line) => {
    const { type, object } = JSON.parse(line) as { type: string; object: Pod };
    if (type === 'DELETED') pods.delete(object.metadata.uid);
    else pods.set(object.metadata.uid, object);
    tell();
  });
  await Promise.all(generators.map((g) => g.up));
  return {
    stop: async () => {
      for (const { child } of generators) child.stdin.end();
      const all = await Promise.all(generators.map((g) => g.told));
      watch.kill();
      const sum = (pick: (told: Told) => number): number => all.reduce((n, told) => n + pick(told), 0);
      const failed = all.flatMap((told) => told.failed.map((f) => `${f.to} ${f.why} after ${f.afterMs} ms`));
      return { sent: sum((t) => t.sent), asked: sum((t) => t.asked), failed, fewestReady };
    },
  };
}

/** Starts a generator on a device; it is told whom to ask on its standard input. */
export function startGenerator(lab: Lab, node: string): Generator {
  const tsx = import.meta.resolve('tsx');
  const child = lab.streamIn(node, process.execPath, '--import', tsx, GENERATOR);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.on('error', () => undefined); // it ended early: its exit code tells
  const up = new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('close', () => reject(new Error(`generator on ${node} did not start: ${err}`)));
  });
  up.catch(() => undefined); // handled where it is awaited
  const told = new Promise<Told>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as Told);
      else reject(new Error(`generator on ${node} ended with ${code}: ${err}`));
    });
  });
  told.catch(() => undefined); // handled where it is awaited
  return { node, child, up, told };
}
