/** A hub of its own process with a simulated fleet, seen as a client sees it: through watches and writes over HTTPS. */
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { BenchApi } from '../../scripts/bench/api.ts';
import { HubProcess } from '../../scripts/bench/hub-process.ts';
import { type Group, SimulatedFleet } from './fleet.ts';
import { Ledger } from './ledger.ts';
import { Prober } from './prober.ts';

const V1 = '/api/v1/namespaces/default';
const APPS = '/apis/apps/v1/namespaces/default/deployments';
/** A /24 for each of a thousand nodes. */
const FLAGS = ['--cluster-cidr', '10.0.0.0/12'];
const LOOK_MS = 20;

export interface StormOptions {
  readonly devices: number;
  readonly perProcess: number;
  /** Longest any step may take. */
  readonly limitMs: number;
  /** Runs what `npm run build` made. */
  readonly bundled: boolean;
}

/** Hub, fleet and what is seen of them. */
export class Storm {
  readonly hub: HubProcess;
  readonly fleet: SimulatedFleet;
  readonly api: BenchApi;
  readonly ledger = new Ledger();
  readonly #limitMs: number;
  #probes = 0;
  readonly #watches: { close(): void }[] = [];

  private constructor(hub: HubProcess, fleet: SimulatedFleet, api: BenchApi, limitMs: number) {
    this.hub = hub;
    this.fleet = fleet;
    this.api = api;
    this.#limitMs = limitMs;
  }

  /** Resolves when every node is Ready and has told its load: the scheduler takes what is unknown for half loaded. */
  static async start(options: StormOptions): Promise<Storm> {
    const hub = await HubProcess.start({ bundled: options.bundled, flags: FLAGS });
    let fleet: SimulatedFleet;
    try {
      fleet = await SimulatedFleet.start({ ...options, hubDir: hub.directory, mqttUrl: hub.mqttUrl });
    } catch (error) {
      await hub.stop();
      throw error;
    }
    const storm = new Storm(hub, fleet, await BenchApi.open(hub.kubeconfig), options.limitMs);
    try {
      await storm.#watch();
      await storm.until('nodes ready', () => storm.ledger.readyNodes.size === options.devices);
      await storm.#untilHeard(options.devices);
    } catch (error) {
      await storm.stop();
      throw error;
    }
    return storm;
  }

  async #untilHeard(devices: number): Promise<void> {
    let heard = 0;
    const endMs = performance.now() + this.#limitMs;
    while (heard < devices) {
      if (performance.now() > endMs) throw new Error(`${heard} of ${devices} nodes told their load`);
      const { items } = (await this.api.ask('GET', '/coxswain/v1/nodes')) as { items: { ageMs?: number }[] };
      heard = items.filter(({ ageMs }) => ageMs !== undefined).length;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Waits for what the watches show; rejects with how far it has come. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const endMs = performance.now() + this.#limitMs;
    while (!holds()) {
      if (performance.now() > endMs)
        throw new Error(`${what}: not within ${this.#limitMs} ms; ${this.ledger.summary()}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Creates a Deployment; resolves when all its pods are ready. */
  async deploy(name: string, replicas: number): Promise<void> {
    await this.api.ask('POST', APPS, manifest(name, replicas));
    await this.until(`${replicas} of ${name} ready`, () => this.ledger.readyOf(name) === replicas);
  }

  /** Gives the Deployment another image; resolves when all pods have it and nothing old is left. */
  async roll(name: string, replicas: number): Promise<void> {
    // Without a version: the controller may be writing its status at the same time.
    await this.api.ask('PUT', `${APPS}/${name}`, manifest(name, replicas, 'busybox:2'));
    const done = (): boolean =>
      this.ledger.readyOf(name, 'busybox:2') === replicas && this.ledger.countOf(name) === replicas;
    await this.until(`${name} rolled over`, done);
  }

  /** The group falls silent; resolves when its nodes count as lost and `replicas` pods of `name` are ready elsewhere. */
  async lose(group: Group, name: string, replicas: number): Promise<void> {
    const lost = new Set(group.names);
    this.fleet.silence(group);
    await this.until('pods of lost nodes ready elsewhere', () => {
      const isLost = [...lost].every((node) => !this.ledger.readyNodes.has(node));
      return isLost && this.ledger.readyOf(name) === replicas;
    });
  }

  /** Writes a small object again and again beside whatever happens, and asks for /livez. */
  async probe(): Promise<Prober> {
    this.#probes += 1;
    const name = `probe-${this.#probes}`;
    const object = { metadata: { name }, data: { n: '0' } };
    await this.api.ask('POST', `${V1}/configmaps`, object);
    return new Prober(
      (n) => this.api.ask('PUT', `${V1}/configmaps/${name}`, { ...object, data: { n: String(n) } }),
      () => this.api.drain('/livez'),
    );
  }

  async stop(): Promise<void> {
    for (const watch of this.#watches) watch.close();
    await this.fleet.stop();
    this.api.close();
    await this.hub.stop();
  }

  async #watch(): Promise<void> {
    const { ledger } = this;
    const nodes = this.api.follow<Node>(
      '/api/v1/nodes?watch=true',
      (type, node) => ledger.seeNode(type, node),
      () => ledger.readyNodes.clear(),
    );
    const pods = this.api.follow<Pod>(
      `${V1}/pods?watch=true`,
      (type, pod) => ledger.seePod(type, pod),
      () => ledger.forgetPods(),
    );
    this.#watches.push(await nodes, await pods);
  }
}

function manifest(name: string, replicas: number, image = 'busybox:latest') {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '10%', maxUnavailable: '5%' } },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            {
              name: 'main',
              image,
              imagePullPolicy: 'IfNotPresent',
              resources: { requests: { cpu: '10m', memory: '8Mi' } },
            },
          ],
        },
      },
    },
  };
}
