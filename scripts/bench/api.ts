import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { readAccess } from '../../cli/kubeconfig.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';

interface WatchEvent {
  readonly type: string;
  readonly object: Pod;
}

/** A client of the hub that keeps its connections, as controllers and dashboards do: no process start is measured. */
export class BenchApi {
  readonly #server: URL;
  readonly #agent: Agent;

  private constructor(server: URL, agent: Agent) {
    this.#server = server;
    this.#agent = agent;
  }

  static async open(kubeconfig: string): Promise<BenchApi> {
    const access = await readAccess(kubeconfig, readFileSync(kubeconfig, 'utf8'));
    const agent = new Agent({ keepAlive: true, ca: access.caPem, cert: access.certPem, key: access.keyPem });
    return new BenchApi(new URL(access.server), agent);
  }

  /** Sends JSON, resolves to the parsed answer; rejects with the answer's text when it is a refusal. */
  ask(method: string, path: string, body?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const req = this.#request(method, path, (status, text) =>
        status < 400
          ? resolve(text === '' ? undefined : JSON.parse(text))
          : reject(new Error(`${method} ${path}: ${status} ${text}`)),
      );
      req.on('error', reject);
      req.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Resolves to the text of an answer; rejects with it when it is a refusal. */
  text(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const req = this.#request('GET', path, (status, text) =>
        status < 400 ? resolve(text) : reject(new Error(`GET ${path}: ${status} ${text}`)),
      );
      req.on('error', reject);
      req.end();
    });
  }

  /** Reads an answer to its end and forgets it; resolves to its bytes. */
  drain(path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      const req = request({ ...this.#target(path), headers, agent: this.#agent }, (res) => {
        let bytes = 0;
        res.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        res.on('error', reject);
        res.on('end', () =>
          res.statusCode === 200 ? resolve(bytes) : reject(new Error(`${path}: ${res.statusCode}`)),
        );
      });
      req.on('error', reject);
      req.end();
    });
  }

  /** Opens an answer without end on a connection of its own and counts its lines, without reading them. */
  lines(path: string): Promise<LineCount> {
    return new Promise((resolve, reject) => {
      const req = request({ ...this.#target(path), agent: this.#agent }, (res) => {
        resolve(new LineCount(res));
      });
      req.on('error', reject);
      req.end();
    });
  }

  /** Watches pods of a label until `done` says so of the newest states by name; resolves then, rejects after `limitMs`. */
  async until(
    selector: string,
    done: (pods: ReadonlyMap<string, Pod>) => boolean,
    limitMs: number,
  ): Promise<{ begun: Promise<void>; met: Promise<void> }> {
    const pods = new Map<string, Pod>();
    let begun: () => void = () => undefined;
    const beginning = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const met = new Promise<void>((resolve, reject) => {
      const path = `/api/v1/namespaces/default/pods?watch=true&labelSelector=${encodeURIComponent(selector)}`;
      const req = request({ ...this.#target(path), method: 'GET', agent: this.#agent }, (res) => {
        begun();
        let rest = '';
        res.on('data', (chunk: Buffer) => {
          const lines = (rest + chunk.toString()).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) {
            const event = JSON.parse(line) as WatchEvent;
            if (event.type === 'DELETED') pods.delete(event.object.metadata.name);
            else pods.set(event.object.metadata.name, event.object);
            if (!done(pods)) continue;
            clearTimeout(timer);
            req.destroy();
            resolve();
            return;
          }
        });
      });
      const timer = setTimeout(() => {
        req.destroy();
        reject(
          new Error(`not within ${limitMs} ms: ${[...pods.values()].map((p) => p.status?.phase).join(' ')}`),
        );
      }, limitMs);
      // Destroying the request after the goal was met ends here as well; the promise is settled by then.
      req.on('error', reject);
      req.end();
    });
    return { begun: beginning, met };
  }

  /**
   * Follows a watch as informers do: one that the hub cuts off, for a reader that was too slow, is opened anew after `onRestart`.
   * Resolves once the first is open. Ends by `close`.
   */
  async follow<T>(
    path: string,
    onEvent: (type: string, object: T) => void,
    onRestart: () => void,
  ): Promise<{ close(): void }> {
    let isClosed = false;
    let current = await this.#events(path, onEvent, restart);
    function restart(this: void): void {
      if (isClosed) return;
      onRestart();
      reopen().catch((error: unknown) => {
        throw error; // nothing would be seen any more: the bench is over
      });
    }
    const reopen = async (): Promise<void> => {
      current = await this.#events(path, onEvent, restart);
    };
    return {
      close: () => {
        isClosed = true;
        current.close();
      },
    };
  }

  /** One watch; `onEnd` is called when the other side has ended it. */
  #events<T>(
    path: string,
    onEvent: (type: string, object: T) => void,
    onEnd: () => void,
  ): Promise<{ close(): void }> {
    return new Promise((resolve, reject) => {
      const req = request({ ...this.#target(path), agent: this.#agent }, (res) => {
        let rest = '';
        res.setEncoding('utf8');
        res.on('data', (chunk: string) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) {
            const { type, object } = JSON.parse(line) as { type: string; object: T };
            onEvent(type, object);
          }
        });
        res.on('error', () => undefined); // told by `close`
        res.on('close', onEnd);
        resolve({ close: () => void req.destroy() });
      });
      req.on('error', reject);
      req.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #target(path: string): { host: string; port: string; path: string } {
    return { host: this.#server.hostname, port: this.#server.port, path };
  }

  #request(
    method: string,
    path: string,
    onEnd: (status: number, text: string) => void,
  ): ReturnType<typeof request> {
    return request(
      { ...this.#target(path), method, agent: this.#agent, headers: { 'content-type': 'application/json' } },
      (res) => {
        let text = '';
        res.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        res.on('end', () => onEnd(res.statusCode ?? 500, text));
      },
    );
  }
}

const NEWLINE = 10;

/** Lines that have come of one answer. */
export class LineCount {
  readonly #response: IncomingMessage;
  #lines = 0;
  #reached: () => void = () => undefined;
  #wanted = Number.POSITIVE_INFINITY;

  constructor(response: IncomingMessage) {
    this.#response = response;
    response.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) this.#lines += 1;
      if (this.#lines >= this.#wanted) this.#reached();
    });
    response.on('error', () => undefined); // closed by `close`; who waits is told by the deadline
  }

  /** Resolves when `count` lines have come; rejects after `limitMs`. */
  until(count: number, limitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.#lines} of ${count} lines within ${limitMs} ms`)),
        limitMs,
      );
      this.#wanted = count;
      this.#reached = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#lines >= count) this.#reached();
    });
  }

  close(): void {
    this.#response.destroy();
  }
}
