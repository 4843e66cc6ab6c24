/**
 * What the API carries: durable creates by many clients, lists of many pods, many watchers of one kind.
 *
 *   npm run bench -- --only api
 */
import { BenchApi } from './api.ts';
import { type Bench, type Figure, limitFigure, type Report } from './figure.ts';
import { HubProcess } from './hub-process.ts';

const MIB = 1024 * 1024;
const CLIENTS = 16;
const PODS = 10_000;
const WATCHERS = 1000;
const CHANGES = 1000;
const QUICK_PODS = 2000;
const QUICK_CHANGES = 100;
const LISTS = 5;
const SEEN_MS = 180_000;
const V1 = '/api/v1/namespaces/default';
const JSON_TYPE = 'application/json';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

/** Measures one hub on real files below the system's temporary directory; client and hub share the machine. */
export const benchApiLoad: Bench = async (report, { quick }) => {
  const hub = await HubProcess.start({ bundled: true });
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => BenchApi.open(hub.kubeconfig)));
  const [client] = clients;
  try {
    if (client === undefined) throw new Error('no client');
    // First, while memory holds nothing else that could be given back meanwhile.
    await watchers(report, hub, clients, quick ? QUICK_CHANGES : CHANGES);
    await creates(report, hub, clients, quick ? QUICK_PODS : PODS);
    await gets(report, hub, clients, quick ? QUICK_PODS : PODS);
    for (const [name, accept] of [
      ['JSON', JSON_TYPE],
      ['Table', TABLE],
    ] as const)
      await lists(report, hub, client, name, accept);
  } finally {
    for (const c of clients) c.close();
    await hub.stop();
  }
};

/** A pod as people write it; its scheduler is nobody, so that the API alone is measured. */
function pod(name: string): object {
  const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } };
  const env = [{ name: 'MODE', value: 'bench' }];
  const ports = [{ containerPort: 8080, name: 'http' }];
  const container = { name: 'app', image: 'example.org/team/app:1.2.3', env, ports, resources };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'bench' } },
    spec: { schedulerName: 'none', containers: [container] },
  };
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

function atLeast(name: string, value: number, min: number, note: string): Figure {
  return { name, value, unit: '1/s', target: `>= ${min} 1/s`, ok: value >= min, note };
}

/** What `count` requests by all clients at once came to. */
interface Spent {
  readonly perSecond: number;
  /** Of each request, sorted, in ms. */
  readonly tookMs: readonly number[];
  /** The hub's processor time for a thousand of them. */
  readonly cpuMsPer1000: number;
}

async function spent(
  hub: HubProcess,
  clients: readonly BenchApi[],
  count: number,
  ask: (client: BenchApi, n: number) => Promise<unknown>,
): Promise<Spent> {
  const tookMs: number[] = [];
  const beforeCpuMs = hub.cpuMs;
  const startMs = performance.now();
  const work = async (client: BenchApi, id: number): Promise<void> => {
    for (let n = id; n < count; n += clients.length) {
      const beginMs = performance.now();
      await ask(client, n);
      tookMs.push(performance.now() - beginMs);
    }
  };
  await Promise.all(clients.map(work));
  return {
    perSecond: Math.round((count / (performance.now() - startMs)) * 1000),
    tookMs: tookMs.toSorted((a, b) => a - b),
    cpuMsPer1000: ((hub.cpuMs - beforeCpuMs) / count) * 1000,
  };
}

async function creates(
  report: Report,
  hub: HubProcess,
  clients: readonly BenchApi[],
  count: number,
): Promise<void> {
  const all = await spent(hub, clients, count, (client, n) =>
    client.ask('POST', `${V1}/pods`, pod(`pod-${n}`)),
  );
  const note = `${clients.length} clients, ${count} pods`;
  report(atLeast('api: durable pod creates', all.perSecond, 1000, note));
  report({ name: 'api: create, p50', value: percentile(all.tookMs, 0.5), unit: 'ms' });
  report({ name: 'api: create, p99', value: percentile(all.tookMs, 0.99), unit: 'ms' });
  report({ name: "api: 1000 creates, hub's processor time", value: all.cpuMsPer1000, unit: 'ms' });
}

async function gets(
  report: Report,
  hub: HubProcess,
  clients: readonly BenchApi[],
  count: number,
): Promise<void> {
  const all = await spent(hub, clients, count, (client, n) => client.drain(`${V1}/pods/pod-${n}`));
  report({ name: 'api: gets', value: all.perSecond, unit: '1/s' });
  report({ name: "api: 1000 gets, hub's processor time", value: all.cpuMsPer1000, unit: 'ms' });
}

async function lists(
  report: Report,
  hub: HubProcess,
  client: BenchApi,
  name: string,
  accept: string,
): Promise<void> {
  const tookMs: number[] = [];
  const beforeBytes = hub.rssBytes;
  hub.resetPeak();
  const beforeCpuMs = hub.cpuMs;
  let bytes = 0;
  for (let i = 0; i < LISTS; i += 1) {
    const startMs = performance.now();
    bytes = await client.drain(`${V1}/pods`, { accept });
    tookMs.push(performance.now() - startMs);
  }
  const note = `median of ${LISTS}, ${(bytes / MIB).toFixed(1)} MiB each`;
  report(
    limitFigure(
      `api: list of all pods, ${name}`,
      percentile(
        tookMs.toSorted((a, b) => a - b),
        0.5,
      ),
      'ms',
      1000,
      note,
    ),
  );
  const peak = (hub.peakBytes - beforeBytes) / MIB;
  report({ name: `api: list of all pods, ${name}, peak memory over before`, value: peak, unit: 'MiB' });
  const cpuMs = (hub.cpuMs - beforeCpuMs) / LISTS;
  report({ name: `api: list of all pods, ${name}, hub's processor time`, value: cpuMs, unit: 'ms' });
}

async function watchers(
  report: Report,
  hub: HubProcess,
  clients: readonly BenchApi[],
  changes: number,
): Promise<void> {
  const [client] = clients;
  if (client === undefined) return;
  const path = `${V1}/configmaps`;
  const made = (await client.ask('POST', path, {
    metadata: { name: 'watched' },
    data: { n: '' },
  })) as Versioned;
  const from = made.metadata.resourceVersion;
  const beforeBytes = hub.rssBytes;
  const streams = [];
  for (let i = 0; i < WATCHERS; i += 50)
    streams.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, () => client.lines(`${path}?watch=true&resourceVersion=${from}`)),
      )),
    );
  const openBytes = hub.rssBytes;
  hub.resetPeak();
  const seen = Promise.all(streams.map((stream) => stream.until(changes, SEEN_MS)));
  const beforeCpuMs = hub.cpuMs;
  const startMs = performance.now();
  for (let n = 0; n < changes; n += clients.length)
    await Promise.all(
      clients
        .slice(0, Math.min(clients.length, changes - n))
        .map((c, i) =>
          c.ask('PUT', `${path}/watched`, { metadata: { name: 'watched' }, data: { n: String(n + i) } }),
        ),
    );
  const writtenMs = performance.now() - startMs;
  await seen;
  const tookMs = performance.now() - startMs;
  const note = `${WATCHERS} watchers, ${changes} changes, written in ${Math.round(writtenMs)} ms`;
  report({ name: 'api: until every watcher has seen every change', value: tookMs, unit: 'ms', note });
  const eventUs = ((hub.cpuMs - beforeCpuMs) * 1000) / (changes * WATCHERS);
  report({ name: "api: event sent to a watcher, hub's processor time", value: eventUs, unit: 'us' });
  const idle = (openBytes - beforeBytes) / MIB;
  report({ name: 'api: memory per idle watcher', value: (idle / WATCHERS) * 1024, unit: 'KiB' });
  const peak = (hub.peakBytes - beforeBytes) / MIB;
  report(limitFigure(`api: memory of ${WATCHERS} watchers, peak over none`, peak, 'MiB', 150));
  for (const stream of streams) stream.close();
}

interface Versioned {
  readonly metadata: { readonly resourceVersion: string };
}
