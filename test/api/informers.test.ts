/** Random writers and cut connections: whoever watches ends with the store's state and has seen every object's changes in order. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import * as k8s from '@kubernetes/client-node';
import * as fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { Change } from '../../hub/cluster.ts';
import { spec } from '../spec.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { ADMIN_TOKEN, eventually, startHub, type TestHub } from './hub.ts';

let hub: TestHub;
let proxy: CuttingProxy;
const MAPS = '/api/v1/namespaces/default/configmaps';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const WRITERS = 4;

/** What somebody was told: type, name and version, in order. */
type Seen = string[];
const line = (type: string, name: string, version: string): string => `${type} ${name} ${version}`;

type Op =
  | { readonly do: 'put' | 'change' | 'remove'; readonly name: string }
  | { readonly do: 'cut'; readonly every: number };
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constantFrom('put', 'change', 'change', 'remove'),
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('cut' as const), every: fc.integer({ min: 1, max: 3 }) }),
  },
);

/** Each may be refused, because another writer was faster: that changes nothing. */
async function perform(action: Op, n: number): Promise<void> {
  if (action.do === 'cut') proxy.cut((i) => i % action.every === 0);
  else if (action.do === 'put')
    await hub.ask('POST', MAPS, { body: { metadata: { name: action.name, labels: { of: 'test' } } } });
  else if (action.do === 'remove') await hub.ask('DELETE', `${MAPS}/${action.name}`);
  else await hub.ask('PATCH', `${MAPS}/${action.name}`, { headers: MERGE, body: { data: { n: String(n) } } });
}

/** Watches from a version over the proxy, going on from the last version seen whenever it is cut. */
class RawWatcher {
  readonly seen: Seen = [];
  #version: string;
  #ended = false;
  #destroy: () => void = () => undefined;

  constructor(version: string) {
    this.#version = version;
    this.#connect();
  }

  stop(): void {
    this.#ended = true;
    this.#destroy();
  }

  #connect(): void {
    if (this.#ended) return;
    const path = `${MAPS}?watch=true&allowWatchBookmarks=true&resourceVersion=${this.#version}`;
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const sent = request(
      { host: '127.0.0.1', port: proxy.port, ca: hub.caPem, path, headers },
      (response) => {
        let rest = '';
        response.on('data', (chunk: Buffer) => {
          const lines = (rest + chunk.toString()).split('\n');
          rest = lines.pop() ?? '';
          for (const text of lines) this.#take(JSON.parse(text) as WatchEvent);
        });
        response.on('error', () => sent.destroy()); // cut: 'close' follows
      },
    );
    sent.on('error', () => sent.destroy());
    sent.on('close', () => setImmediate(() => this.#connect()));
    this.#destroy = () => sent.destroy();
    sent.end();
  }

  #take({ type, object }: WatchEvent): void {
    this.#version = object.metadata.resourceVersion;
    if (type !== 'BOOKMARK') this.seen.push(line(type, object.metadata.name, this.#version));
  }
}

interface WatchEvent {
  readonly type: string;
  readonly object: { readonly metadata: { readonly name: string; readonly resourceVersion: string } };
}

/** An informer of the official client, started again whenever it fails, and what it told. */
function startInformer(config: k8s.KubeConfig): {
  informer: k8s.Informer<k8s.V1ConfigMap> & k8s.ObjectCache<k8s.V1ConfigMap>;
  seen: Seen;
  stop: () => Promise<void>;
} {
  const api = config.makeApiClient(k8s.CoreV1Api);
  const informer = k8s.makeInformer(config, MAPS, () =>
    api.listNamespacedConfigMap({ namespace: 'default' }),
  );
  const seen: Seen = [];
  let ended = false;
  const start = (): void => {
    if (ended) return;
    informer.start().catch(() => setTimeout(start, 20)); // the list was cut
  };
  for (const verb of ['add', 'update', 'delete'] as const)
    informer.on(verb, ({ metadata }) => {
      seen.push(line(verb, `${metadata?.name}/${metadata?.uid}`, metadata?.resourceVersion ?? ''));
    });
  informer.on('error', () => void setTimeout(start, 20));
  start();
  const stop = async (): Promise<void> => {
    ended = true;
    await informer.stop();
  };
  return { informer, seen, stop };
}

const isRising = (versions: readonly number[]): boolean =>
  versions.every((v, i) => i === 0 || v > (versions[i - 1] ?? 0));

/** Versions by object, of what an informer told. An object that comes back has another uid. */
function byObject(seen: Seen): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const text of seen) {
    const [verb, name = '', version] = text.split(' ');
    // An informer tells of a deletion that it found by listing with the last state it knew.
    if (verb !== 'delete') found.set(name, [...(found.get(name) ?? []), Number(version)]);
  }
  return found;
}

const state = (items: readonly { metadata?: { name?: string; resourceVersion?: string } }[]): string[] =>
  items.map(({ metadata }) => `${metadata?.name} ${metadata?.resourceVersion}`).toSorted();

async function world(plans: readonly (readonly Op[])[], config: k8s.KubeConfig): Promise<void> {
  const from = String(hub.store.port.revision);
  const truth: Seen = [];
  const TYPES = { added: 'ADDED', modified: 'MODIFIED', deleted: 'DELETED' } as const;
  const stopTruth = hub.store.port.watch('ConfigMap', Number(from), ({ type, object }: Change) => {
    truth.push(line(TYPES[type], object.metadata.name, object.metadata.resourceVersion));
  });
  const raw = [new RawWatcher(from), new RawWatcher(from)];
  const informers = [startInformer(config), startInformer(config)];
  try {
    await Promise.all(
      plans.map(async (plan, w) => {
        for (const [i, action] of plan.entries()) await perform(action, w * 1000 + i);
      }),
    );
    const stored = (): string[] => state(hub.store.port.listObjects('ConfigMap', 'default').items);
    await eventually('all have seen all', () => raw.every((r) => r.seen.length >= truth.length), 15_000);
    for (const { seen } of raw) assert.equal(seen, truth);
    await eventually(
      'informers hold the stored state',
      () => informers.every(({ informer }) => state(informer.list('default')).join() === stored().join()),
      15_000,
    );
    for (const { seen } of informers)
      for (const [name, versions] of byObject(seen)) assert.ok(isRising(versions), `${name}: ${versions}`);
  } finally {
    stopTruth();
    for (const watcher of raw) watcher.stop();
    for (const { stop } of informers) await stop();
  }
}

spec(
  'watchers under random writes and cut connections',
  (it) => {
    it('end with the state of the store and see changes in order', async () => {
      const config = new k8s.KubeConfig();
      const text = readFileSync(join(hub.dir, 'kubeconfig'), 'utf8');
      config.loadFromString(text.replace(`127.0.0.1:${hub.port}`, `127.0.0.1:${proxy.port}`));
      const plan = fc.array(op, { minLength: 30, maxLength: 60 });
      const plans = fc.array(plan, { minLength: WRITERS, maxLength: WRITERS });
      await fc.assert(
        fc.asyncProperty(plans, (ops) => world(ops, config)),
        { numRuns: 6, endOnFailure: true },
      );
      assert.ok(proxy.cuts > 0, 'nothing was cut');
    });

    it('leave no watch behind', async () => {
      proxy.cut(() => true);
      await eventually('the store is let go of', () => hub.store.watchers() === 0);
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 120_000,
    before: async () => {
      hub = await startHub();
      proxy = await startCuttingProxy(hub.port);
    },
    after: async () => {
      await proxy.stop();
      await hub.stop();
    },
  },
);
