import { request } from 'node:http';
import { createInterface } from 'node:readline';

/** What an engine tells of a container. */
export interface BareEvent {
  readonly action: string;
  readonly id: string;
}

/** The engine's own HTTP, with nothing between: the other side of every comparison. */
export class BareEngine {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Resolves to the id of a container that sleeps, on this network. */
  async create(name: string, image: string, network: string): Promise<string> {
    const answer = await this.#call('POST', `/containers/create?name=${name}`, {
      Image: image,
      Entrypoint: ['sleep', '1000000'],
      HostConfig: { NetworkMode: network },
    });
    return (JSON.parse(answer) as { Id: string }).Id;
  }

  async start(id: string): Promise<void> {
    await this.#call('POST', `/containers/${id}/start`);
  }

  async kill(id: string): Promise<void> {
    await this.#call('POST', `/containers/${id}/kill?signal=SIGKILL`);
  }

  async remove(id: string): Promise<void> {
    await this.#call('DELETE', `/containers/${id}?force=1&v=1`);
  }

  async removeNetwork(name: string): Promise<void> {
    await this.#call('DELETE', `/networks/${name}`);
  }

  /** Calls `listener` with every container event until the returned function is called. */
  watch(listener: (event: BareEvent) => void): Promise<() => void> {
    const filters = encodeURIComponent(JSON.stringify({ type: ['container'], event: ['start', 'die'] }));
    return new Promise((resolve, reject) => {
      const call = request(
        { socketPath: this.#socketPath, path: `/events?filters=${filters}` },
        (response) => {
          createInterface({ input: response }).on('line', (line) => {
            const event = JSON.parse(line) as { Action: string; Actor: { ID: string } };
            listener({ action: event.Action, id: event.Actor.ID });
          });
          // Cut off on purpose by the caller.
          response.on('error', () => undefined);
          resolve(() => response.destroy());
        },
      );
      call.on('error', reject);
      call.end();
    });
  }

  #call(method: string, path: string, body?: unknown): Promise<string> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.#socketPath, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString();
          if ((response.statusCode ?? 500) < 400) resolve(answer);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
        });
      });
      call.on('error', reject);
      call.end(text);
    });
  }
}
