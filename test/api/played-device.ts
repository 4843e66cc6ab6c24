/** Plays the devices of a test hub: runs commands as local processes and tells made-up logs and telemetry. */
import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import type {
  PodStream,
  StreamHandlers,
  StreamRequest,
  StreamsPort,
  TelemetryPort,
} from '../../hub/api/ports.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError } from '../../protocol/status.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import type { PodUsage, Telemetry } from '../../protocol/wire/messages.ts';

const QUIET: PodStream = {
  write: () => Promise.resolve(),
  end: () => undefined,
  resize: () => undefined,
  close: () => undefined,
};

export class PlayedDevice implements StreamsPort, TelemetryPort {
  /** False plays a node that is not connected. */
  connected = true;
  /** What the container has written so far. */
  logText = '';
  readonly samples = new Map<string, { sample: Telemetry; atMs: number }>();
  readonly usages = new Map<string, { sample: PodUsage; atMs: number }>();
  /** Requests as they came. */
  readonly requests: StreamRequest[] = [];
  /** Terminal sizes as they came. */
  readonly sizes: [number, number][] = [];
  readonly #dir: string;
  readonly #children = new Set<ChildProcess>();
  readonly #followers = new Set<StreamHandlers>();
  /** Streams that were opened and not closed by either side. */
  live = 0;
  /** Bytes that ports of pods have sent. */
  carriedBytes = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  node(name: string): { sample: Telemetry; atMs: number } | undefined {
    return this.samples.get(name);
  }

  pod(uid: string): { sample: PodUsage; atMs: number } | undefined {
    return this.usages.get(uid);
  }

  open(pod: Pod, request: StreamRequest, handlers: StreamHandlers): Promise<PodStream> {
    this.requests.push(request);
    if (!this.connected)
      return Promise.reject(
        new ApiError('ServiceUnavailable', `node ${pod.spec.nodeName ?? ''} is not connected`),
      );
    this.live++;
    const once = this.#closing(handlers);
    if (request.kind === 'log') return Promise.resolve(this.#log(request, once));
    return Promise.resolve(
      request.kind === 'port' ? this.#port(request.port ?? 0, once) : this.#exec(request, once),
    );
  }

  /** Ends followed logs, as a container that stops does. */
  endLogs(end: StreamEnd = {}): void {
    for (const handlers of this.#followers) handlers.onClose(end);
    this.#followers.clear();
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.endLogs();
  }

  #closing(handlers: StreamHandlers): StreamHandlers {
    let closed = false;
    return {
      ...handlers,
      onClose: (end) => {
        if (closed) return;
        closed = true;
        this.live--;
        handlers.onClose(end);
      },
    };
  }

  #log(request: StreamRequest, handlers: StreamHandlers): PodStream {
    const lines = this.logText.split(/(?<=\n)/);
    const { tailLines = lines.length, follow } = request.log ?? {};
    const text = tailLines === 0 ? '' : lines.slice(-tailLines).join('');
    const sent = text === '' ? undefined : handlers.onData('stdout', Buffer.from(text));
    if (follow === true) this.#followers.add(handlers);
    else void Promise.resolve(sent).then(() => handlers.onClose({}));
    const close = (): void => {
      this.#followers.delete(handlers);
      handlers.onClose({});
    };
    return { ...QUIET, close };
  }

  /** One more piece of log for those who follow; resolves when all have taken it. */
  async say(text: string): Promise<void> {
    this.logText += text;
    await Promise.all([...this.#followers].map((f) => f.onData('stdout', Buffer.from(text))));
  }

  #exec(request: StreamRequest, handlers: StreamHandlers): PodStream {
    const [command = 'false', ...args] = request.exec?.command ?? ['cat'];
    const child = spawn(command, args, { cwd: this.#dir, stdio: 'pipe' });
    this.#children.add(child);
    const carry = async (channel: 'stdout' | 'stderr'): Promise<void> => {
      for await (const chunk of child[channel]) await handlers.onData(channel, chunk as Buffer);
    };
    const carried = Promise.all([carry('stdout'), carry('stderr')]);
    child.on('error', () =>
      handlers.onClose({ reason: 'InternalError', message: `exec: "${command}": executable file not found` }),
    );
    child.on('exit', (code) => {
      this.#children.delete(child);
      void carried.then(() => handlers.onClose({ exitCode: code ?? 137 }));
    });
    child.stdin.on('error', () => child.kill()); // nobody reads any more
    return {
      write: (_channel, payload) =>
        new Promise((resolve) => void child.stdin.write(payload, () => resolve())),
      end: () => void child.stdin.end(),
      resize: (width, height) => void this.sizes.push([width, height]),
      close: () => {
        child.kill('SIGKILL');
        handlers.onClose({});
      },
    };
  }

  /** A port of the played pod is one of this machine's loopback. */
  #port(port: number, handlers: StreamHandlers): PodStream {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const read = async (): Promise<void> => {
      for await (const chunk of socket.iterator({ destroyOnReturn: false }))
        for (let at = 0; at < (chunk as Buffer).length; at += 16_384) {
          const piece = (chunk as Buffer).subarray(at, at + 16_384);
          this.carriedBytes += piece.length;
          await handlers.onData('data', piece);
        }
      handlers.onEnd?.('data');
    };
    read().catch((error: Error) =>
      handlers.onClose({
        reason: 'ServiceUnavailable',
        message: `port ${port} of the pod: ${error.message}`,
      }),
    );
    socket.on('close', (failed) => {
      if (!failed) handlers.onClose({});
    });
    return {
      write: (_channel, payload) => new Promise((resolve) => void socket.write(payload, () => resolve())),
      end: () => void socket.end(),
      resize: () => undefined,
      close: () => {
        socket.destroy();
        handlers.onClose({});
      },
    };
  }
}
