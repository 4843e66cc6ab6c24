import { request } from 'node:http';
import { createInterface } from 'node:readline';

/** What the engine is asked for a container beside its name; a copy of another one's has the same cost. */
export interface ContainerRecipe {
  readonly Image: string;
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly [setting: string]: unknown;
}

/** Bare calls to one Docker Engine over its socket: the baseline beside which everything is measured. */
export class RawEngine {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Creates and starts a container that sleeps, as our pods are: on a bridge, with a label. Resolves to its id. */
  async run(image: string, network: string): Promise<string> {
    const id = await this.create(image, network);
    await this.start(id);
    return id;
  }

  /** As `run` without the start. */
  create(image: string, network: string): Promise<string> {
    return this.createLike({
      Image: image,
      Cmd: ['sleep', '1000000'],
      HostConfig: { NetworkMode: network },
    });
  }

  /** Creates a container by a recipe, on `at.network` with the address `at.ip` when given. */
  async createLike(recipe: ContainerRecipe, at?: { network: string; ip: string }): Promise<string> {
    const { network, ip } = at ?? { network: recipe.HostConfig['NetworkMode'] as string };
    const body = {
      ...recipe,
      Labels: { bench: 'raw' },
      HostConfig: { ...recipe.HostConfig, NetworkMode: network },
      ...(ip === undefined
        ? {}
        : { NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: ip } } } } }),
    };
    const created = (await this.#ask('POST', '/containers/create', body)) as { Id: string };
    return created.Id;
  }

  /** The recipe of a container that has `label`; rejects when there is none. */
  async recipeOf(label: string): Promise<ContainerRecipe> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const [found] = (await this.#ask('GET', `/containers/json?filters=${filters}`)) as { Id: string }[];
    if (found === undefined) throw new Error(`no container with label ${label}`);
    const { Config, HostConfig } = (await this.#ask('GET', `/containers/${found.Id}/json`)) as {
      Config: { Image: string; Hostname: string };
      HostConfig: Record<string, unknown>;
    };
    return { ...Config, HostConfig };
  }

  /** Makes a bridge network of containers' own, as the pods' is. */
  async createNetwork(name: string, subnet: string): Promise<void> {
    const body = { Name: name, Driver: 'bridge', IPAM: { Config: [{ Subnet: subnet }] } };
    await this.#ask('POST', '/networks/create', body);
  }

  async start(id: string): Promise<void> {
    await this.#ask('POST', `/containers/${id}/start`);
  }

  async kill(id: string): Promise<void> {
    await this.#ask('POST', `/containers/${id}/kill?signal=SIGKILL`);
  }

  async remove(id: string): Promise<void> {
    await this.#ask('DELETE', `/containers/${id}?force=true`);
  }

  async removeNetwork(name: string): Promise<void> {
    await this.#ask('DELETE', `/networks/${name}`);
  }

  /** Calls `listener` with every start and end of a container until the returned function is called. */
  watch(listener: (action: string, id: string) => void): Promise<() => void> {
    const filters = encodeURIComponent(JSON.stringify({ type: ['container'], event: ['start', 'die'] }));
    return new Promise((resolve, reject) => {
      const req = request(
        { socketPath: this.#socketPath, path: `/v1.41/events?filters=${filters}` },
        (res) => {
          createInterface({ input: res }).on('line', (line) => {
            const event = JSON.parse(line) as { Action: string; Actor: { ID: string } };
            listener(event.Action, event.Actor.ID);
          });
          // The caller cuts it off.
          res.on('error', () => undefined);
          resolve(() => res.destroy());
        },
      );
      req.on('error', reject);
      req.end();
    });
  }

  /** Removes everything `run` made. */
  async clean(): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ label: ['bench=raw'] }));
    const found = (await this.#ask('GET', `/containers/json?all=true&filters=${filters}`)) as {
      Id: string;
    }[];
    for (const { Id } of found) await this.#ask('DELETE', `/containers/${Id}?force=true`);
  }

  #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const req = request(
        {
          socketPath: this.#socketPath,
          path: `/v1.41${path}`,
          method,
          headers:
            payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) },
        },
        (res) => {
          let text = '';
          res.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          res.on('end', () => {
            if ((res.statusCode ?? 500) >= 400)
              return reject(new Error(`${method} ${path}: ${res.statusCode} ${text}`));
            return resolve(text === '' ? undefined : JSON.parse(text));
          });
        },
      );
      req.on('error', reject);
      req.end(payload);
    });
  }
}
