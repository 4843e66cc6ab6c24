import type { Duplex } from 'node:stream';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError } from '../../protocol/status.ts';
import { acceptChannels, type ChannelSocket } from './channel-socket.ts';
import { type ApiContext, existing, methodNotAllowed, type Target } from './context.ts';
import { type Answer, type Exchange, STREAMED } from './exchange.ts';
import { PortBridge } from './port-bridge.ts';
import { PortSessions } from './port-sessions.ts';
import type { StreamHandlers } from './ports.ts';
import { acceptSpdy, asksForSpdy } from './spdy-upgrade.ts';
import { acceptWebSocket, byteStream, offeredProtocols } from './web-socket.ts';

const SPDY_PROTOCOL = 'portforward.k8s.io';
/** SPDY inside a WebSocket, as kubectl from 1.31 on prefers. */
const TUNNEL_PROTOCOL = `SPDY/3.1+${SPDY_PROTOCOL}`;
const CHANNEL_PROTOCOLS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];
const MAX_PORTS = 64;

/** Answers `pods/x/portforward`: each connection becomes one stream to the pod's device. */
export async function portForward(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  if (exchange.method !== 'GET' && exchange.method !== 'POST') throw methodNotAllowed();
  const pod = existing(context, target) as Pod;
  if ((pod.spec.nodeName ?? '') === '')
    throw new ApiError('BadRequest', `pod ${pod.metadata.name} does not have a host assigned`);
  if (exchange.upgrade === undefined) throw new ApiError('BadRequest', 'Upgrade request required');
  if (asksForSpdy(exchange)) {
    serveSessions(context, exchange, pod, acceptSpdy(exchange, [SPDY_PROTOCOL]));
    return STREAMED;
  }
  if (offeredProtocols(exchange).includes(TUNNEL_PROTOCOL)) {
    const { socket } = await acceptWebSocket(exchange, [TUNNEL_PROTOCOL], context.clock);
    serveSessions(context, exchange, pod, byteStream(socket));
    return STREAMED;
  }
  await serveChannels(context, exchange, pod, portsOf(exchange.query));
  return STREAMED;
}

const opener = (context: ApiContext, pod: Pod, port: number) => (handlers: StreamHandlers) =>
  context.streams.open(pod, { kind: 'port', port }, handlers);

function serveSessions(context: ApiContext, exchange: Exchange, pod: Pod, socket: Duplex): void {
  const { clock, log } = context;
  const sessions = new PortSessions({ socket, clock, open: (port) => opener(context, pod, port) });
  exchange.closed.addEventListener('abort', () => sessions.close(), { once: true });
  sessions.run().catch((error: unknown) => log.debug('SPDY session broken', { err: error }));
}

function portsOf(query: URLSearchParams): number[] {
  const ports = query.getAll('ports').flatMap((text) => text.split(','));
  if (ports.length === 0) throw new ApiError('BadRequest', 'query parameter "ports" is required');
  if (ports.length > MAX_PORTS) throw new ApiError('BadRequest', `at most ${MAX_PORTS} ports`);
  return ports.map((text) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (port < 1 || port > 65_535)
      throw new ApiError('BadRequest', `unable to parse ${JSON.stringify(text)} as a port`);
    return port;
  });
}

/** The older form: port i has channels 2i for data and 2i + 1 for errors, one connection each. */
async function serveChannels(
  context: ApiContext,
  exchange: Exchange,
  pod: Pod,
  ports: readonly number[],
): Promise<void> {
  const { clock } = context;
  let bridges: readonly PortBridge[] = [];
  const socket = await acceptChannels(
    exchange,
    CHANNEL_PROTOCOLS,
    {
      onMessage: (channel, payload) =>
        channel % 2 === 0 ? bridges[channel / 2]?.fromClient(payload) : undefined,
      onClose: () => {
        for (const bridge of bridges) bridge.clientGone();
      },
    },
    clock,
  );
  let left = ports.length;
  const oneOver = (): void => {
    left--;
    if (left === 0) socket.close();
  };
  bridges = ports.map((port, i) => {
    const hello = Uint8Array.of(port & 0xff, port >> 8);
    void socket.send(2 * i, hello);
    void socket.send(2 * i + 1, hello);
    return new PortBridge({
      open: opener(context, pod, port),
      clock,
      client: channelClient(socket, i, oneOver, () => bridges[i]),
    });
  });
  exchange.closed.addEventListener('abort', () => socket.close(), { once: true });
}

function channelClient(
  socket: ChannelSocket,
  index: number,
  over: () => void,
  bridge: () => PortBridge | undefined,
): ConstructorParameters<typeof PortBridge>[0]['client'] {
  return {
    data: (payload) => socket.send(2 * index, payload),
    // A channel cannot be ended on one side alone, so the pod's end is the connection's.
    end: () => bridge()?.clientEnded(),
    closed: (error) => {
      if (error === undefined) over();
      else void socket.send(2 * index + 1, Buffer.from(error)).then(over);
    },
  };
}
