import { sleep } from '../../kit/clock.ts';
import { isRecord } from '../../protocol/json.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError } from '../../protocol/status.ts';
import type { Channel, StreamEnd } from '../../protocol/wire/frames.ts';
import { acceptChannels, type ChannelSocket } from './channel-socket.ts';
import { type ApiContext, existing, methodNotAllowed, type Target } from './context.ts';
import { type Answer, type Exchange, STREAMED } from './exchange.ts';
import { chooseContainer } from './pod-containers.ts';
import type { PodStream, StreamRequest } from './ports.ts';
import { flag } from './query.ts';
import { acceptSpdyChannels } from './spdy-channels.ts';
import { asksForSpdy } from './spdy-upgrade.ts';
import { execStatus } from './stream-end.ts';

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];
const SPDY_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
/** kubectl registers its streams only after the handshake and throws away what comes earlier. */
const HOLD_BACK_MS = 50;
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

/** Answers `pods/x/exec` and `pods/x/attach`: bridges a WebSocket or a SPDY session to a stream of the pod's device. */
export async function execOrAttach(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  kind: 'exec' | 'attach',
): Promise<Answer> {
  if (exchange.method !== 'GET' && exchange.method !== 'POST') throw methodNotAllowed();
  const pod = existing(context, target) as Pod;
  const request = streamRequest(exchange.query, pod, kind);
  if ((pod.spec.nodeName ?? '') === '')
    throw new ApiError('BadRequest', `pod ${pod.metadata.name} does not have a host assigned`);
  if (exchange.upgrade === undefined) throw new ApiError('BadRequest', 'Upgrade request required');
  const bridge = new Bridge();
  await accept(context, exchange, request, bridge);
  // kubectl takes a close without a Status for success, and nobody knows how this command ends.
  const cutOff: StreamEnd = { reason: 'ServiceUnavailable', message: 'the hub is stopping' };
  exchange.closed.addEventListener('abort', () => bridge.onEnded(cutOff), { once: true });
  try {
    const fromDevice = { onData: bridge.onData, onClose: bridge.onEnded };
    bridge.connect(await context.streams.open(pod, request, fromDevice));
  } catch (error) {
    // The handshake is done: the refusal goes where the outcome of a command goes.
    if (!(error instanceof ApiError)) context.log.error('stream not opened', { err: error });
    const message = error instanceof Error ? error.message : String(error);
    bridge.onEnded({ reason: 'InternalError', message });
  }
  return STREAMED;
}

async function accept(
  context: ApiContext,
  exchange: Exchange,
  { exec }: StreamRequest,
  bridge: Bridge,
): Promise<void> {
  const { clock, log } = context;
  const fromClient = { onMessage: bridge.onMessage, onClose: bridge.onSocketClosed };
  if (!asksForSpdy(exchange)) {
    const socket = await acceptChannels(exchange, PROTOCOLS, fromClient, clock);
    bridge.hold(socket, sleep(clock, HOLD_BACK_MS));
    return;
  }
  const channels = new Map([['error', ERROR]]);
  if (exec?.stdin === true) channels.set('stdin', STDIN);
  if (exec?.stdout === true) channels.set('stdout', STDOUT);
  if (exec?.stderr === true) channels.set('stderr', STDERR);
  if (exec?.tty === true) channels.set('resize', RESIZE);
  const protocols = SPDY_PROTOCOLS;
  const options = { protocols, channels, lines: 'resize', endChannel: CLOSE, clock, log };
  // A client that waits for all its streams to be answered has registered them.
  bridge.hold(await acceptSpdyChannels(exchange, fromClient, options), Promise.resolve());
}

function streamRequest(query: URLSearchParams, pod: Pod, kind: 'exec' | 'attach'): StreamRequest {
  const command = query.getAll('command');
  const tty = flag(query, 'tty');
  const exec = {
    stdin: flag(query, 'stdin'),
    stdout: flag(query, 'stdout'),
    stderr: flag(query, 'stderr') && !tty,
    tty,
  };
  if (!exec.stdin && !exec.stdout && !exec.stderr)
    throw new ApiError('BadRequest', 'you must specify at least 1 of stdin, stdout, stderr');
  if (kind === 'exec' && command.length === 0)
    throw new ApiError('BadRequest', 'you must specify at least one command');
  const container = chooseContainer(pod, query.get('container') ?? '');
  return { kind, container, exec: kind === 'exec' ? { command, ...exec } : exec };
}

/** Carries bytes both ways, holding back whichever side is faster than the other. */
class Bridge {
  #socket: ChannelSocket | undefined;
  #held: Promise<void> = Promise.resolve();
  #stream: PodStream | undefined;
  #gone = false;
  #ended = false;
  #connected: () => void = () => undefined;
  readonly #whenConnected = new Promise<void>((resolve) => {
    this.#connected = resolve;
  });

  /** From now on messages can go out, once `held` settles. */
  hold(socket: ChannelSocket, held: Promise<void>): void {
    this.#socket = socket;
    this.#held = held;
  }

  connect(stream: PodStream): void {
    this.#stream = stream;
    this.#connected();
    if (this.#gone) stream.close();
  }

  /** From the device. */
  readonly onData = async (channel: Channel, payload: Uint8Array): Promise<void> => {
    await this.#held;
    await this.#socket?.send(channel === 'stderr' ? STDERR : STDOUT, payload);
  };

  readonly onEnded = (end: StreamEnd): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.#connected();
    const status = Buffer.from(JSON.stringify(execStatus(end)));
    void this.#held.then(() => this.#socket?.send(ERROR, status)).then(() => this.#socket?.close());
  };

  /** From the client. */
  readonly onMessage = async (channel: number, payload: Uint8Array): Promise<void> => {
    await this.#whenConnected;
    const stream = this.#stream;
    if (stream === undefined) return;
    if (channel === STDIN && payload.length > 0) await stream.write('stdin', payload);
    else if (channel === CLOSE && payload[0] === STDIN) stream.end('stdin');
    else if (channel === RESIZE) resize(stream, payload);
  };

  readonly onSocketClosed = (): void => {
    this.#gone = true;
    this.#connected();
    this.#stream?.close();
  };
}

function resize(stream: PodStream, payload: Uint8Array): void {
  try {
    const size: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    if (!isRecord(size)) return;
    const { Width: width, Height: height } = size;
    if (typeof width === 'number' && typeof height === 'number') stream.resize(width, height);
  } catch {
    // A size nobody can read leaves the terminal as it is; the command goes on.
  }
}
