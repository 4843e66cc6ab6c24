/** Streams over a device's one MQTT connection: the embedded broker and both ends as they are, only the engine is played. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import * as assert from 'uvu/assert';
import type { Identity } from '../../edge-agent/link/identity.ts';
import { MqttTransport } from '../../edge-agent/link/mqtt-transport.ts';
import type { Connection } from '../../edge-agent/link/transport.ts';
import { StreamServer } from '../../edge-agent/streams/stream-server.ts';
import { EmbeddedBroker } from '../../hub/broker/embedded.ts';
import { HubLink } from '../../hub/broker/hub-link.ts';
import { Refusals } from '../../hub/broker/refusals.ts';
import { DeviceStreams } from '../../hub/fleet/streams.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { decodeControl } from '../../protocol/wire/decode.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import { parseTopic, topics } from '../../protocol/wire/topics.ts';
import { type Fleet, openFleet, until } from '../build/devices.ts';
import { pod } from '../build/workloads.ts';
import { spec } from '../spec.ts';

const log = silentLogger;
const MIB = 1024 * 1024;
const POD = pod('p', { node: 'w1' });

let fleet: Fleet;
let broker: EmbeddedBroker;
let hub: HubLink;
let streams: DeviceStreams;
let relay: Relay;
let connection: Connection;
let server: StreamServer;
let logSource: () => Readable = () => Readable.from([]);
let logsOpen = 0;
const beatsMs: number[] = [];

/** A line between device and broker that can be slow one way, and cut. */
class Relay {
  /** Bytes a second from the device; undefined as fast as it goes. */
  upRate: number | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((device) => this.#join(device));
  #to = 0;

  async start(to: number): Promise<number> {
    this.#to = to;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }

  #join(device: Socket): void {
    const uplink = connect({ port: this.#to, host: '127.0.0.1' });
    for (const socket of [device, uplink]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        device.destroy();
        uplink.destroy();
      });
    }
    uplink.pipe(device);
    device.on('data', (chunk: Buffer) => {
      uplink.write(chunk);
      if (this.upRate === undefined) return;
      device.pause();
      setTimeout(() => device.resume(), (chunk.length * 1000) / this.upRate);
    });
  }
}

/** A log that always has more to say, `rate` bytes a second of it. */
function logAt(rate: number): Readable {
  const piece = Buffer.alloc(rate / 50, 'x');
  return Readable.from(
    (async function* () {
      const startMs = performance.now();
      for (let i = 0; ; i++) {
        const waitMs = startMs + i * 20 - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        yield piece;
      }
    })(),
  );
}

async function joinDevice(): Promise<void> {
  const keys = await fleet.identity('w1');
  const identity: Identity = {
    cluster: fleet.authority.clusterId,
    nodeName: 'w1',
    api: [],
    mqtt: [],
    certificate: keys.certPem,
    key: keys.keyPem,
    ca: fleet.authority.caPem,
  };
  relay = new Relay();
  const port = await relay.start(broker.port);
  server = new StreamServer({
    log,
    send: (stream, frame) =>
      void connection.publish(topics.streamUp('w1', stream), frame, 0).catch(() => undefined),
    pods: {
      containersOf: () => [{ name: 'main', id: 'c', running: true, tty: false, stdin: false }],
      addressOf: () => '127.0.0.1',
    },
    runtime: {
      logs: () => {
        const stdout = logSource();
        logsOpen++;
        stdout.once('close', () => logsOpen--);
        return Promise.resolve({ stdout, stderr: Readable.from([]), close: () => void stdout.destroy() });
      },
      openExec: () => Promise.reject(new Error('not played')),
      openAttach: () => Promise.reject(new Error('not played')),
    },
  });
  connection = await new MqttTransport(systemClock).connect(
    {
      address: `127.0.0.1:${port}`,
      identity,
      clientId: 'system:node:w1',
      subscribe: topics.deviceFilters('w1'),
      keepAliveSeconds: 60,
    },
    { onMessage: deliver, onClose: () => server.connectionLost() },
  );
}

function deliver(topic: string, payload: Uint8Array): void {
  const parsed = parseTopic(topic);
  if (parsed?.what === 'stream') {
    server.receive(parsed.stream, payload);
    return;
  }
  const control = decodeControl(payload);
  if (control.ok && control.value.t === 'open') server.accept(control.value);
}

spec(
  'streams over the MQTT connection',
  (it) => {
    it('delay no heartbeat by more than a second, however fast a log is on a slow line', async () => {
      relay.upRate = 2 * MIB;
      logSource = () => logAt(5_000_000);
      let bytes = 0;
      const ends: StreamEnd[] = [];
      const stream = streams.open(
        POD,
        { kind: 'log', log: { follow: true } },
        {
          onData: (_channel, payload) => {
            bytes += payload.length;
          },
          onEnd: () => undefined,
          onClose: (end) => void ends.push(end),
        },
      );
      await until('the line is full', () => bytes > MIB);
      const sentMs: number[] = [];
      beatsMs.length = 0;
      for (let i = 0; i < 15; i++) {
        sentMs.push(performance.now());
        void connection.publish(topics.heartbeat('w1'), new Uint8Array(0), 0);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await until('all beats are there', () => beatsMs.length === sentMs.length);
      const latest = Math.max(...sentMs.map((ms, i) => (beatsMs[i] ?? 0) - ms));
      assert.ok(latest < 1000, `a heartbeat took ${latest.toFixed(0)} ms`);
      assert.ok(bytes > 2 * MIB, `the log went on meanwhile: ${bytes} bytes`);
      stream.close();
      relay.upRate = undefined;
      await until('the engine is let go', () => logsOpen === 0);
      assert.equal(ends, [{}]);
    });

    it('carry a port both ways whole, with memory that does not grow', async () => {
      const echo = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
      echo.listen(0, '127.0.0.1');
      await once(echo, 'listening');
      const piece = randomBytes(64 * 1024);
      const sent = createHash('sha256');
      const got = createHash('sha256');
      let bytes = 0;
      const ends: StreamEnd[] = [];
      const port = (echo.address() as AddressInfo).port;
      const stream = streams.open(
        POD,
        { kind: 'port', port },
        {
          onData: (_channel, payload) => {
            bytes += payload.length;
            got.update(payload);
          },
          onEnd: () => stream.close(),
          onClose: (end) => void ends.push(end),
        },
      );
      let warmBytes = 0;
      for (let i = 0; i < 640; i++) {
        sent.update(piece);
        await stream.write('data', piece);
        if (i === 160) warmBytes = process.memoryUsage.rss();
      }
      stream.end('data');
      await until('it has come back', () => ends.length === 1, 20_000).finally(() => echo.close());
      assert.equal([bytes, got.digest('hex'), ends], [40 * MIB, sent.digest('hex'), [{}]]);
      const grownMiB = (process.memoryUsage.rss() - warmBytes) / MIB;
      assert.ok(grownMiB < 48, `${grownMiB.toFixed(1)} MiB more for 30 MiB both ways`);
    });

    it('end with an error on both sides when the line is cut', async () => {
      logSource = () => logAt(1_000_000);
      const ends: StreamEnd[] = [];
      let bytes = 0;
      streams.open(
        POD,
        { kind: 'log', log: { follow: true } },
        {
          onData: (_channel, payload) => {
            bytes += payload.length;
          },
          onEnd: () => undefined,
          onClose: (end) => void ends.push(end),
        },
      );
      await until('it flows', () => bytes > 100_000);
      relay.cut();
      await until('the engine is let go', () => logsOpen === 0 && server.open === 0);
      // The fleet says so when the device is lost, or says hello anew.
      streams.endAll('the connection to the device was lost', 'w1');
      assert.equal(ends, [
        { reason: 'ServiceUnavailable', message: 'the connection to the device was lost' },
      ]);
    });
  },
  {
    caseTimeoutMs: 40_000,
    before: async () => {
      fleet = await openFleet();
      const refusals = new Refusals(systemClock, log);
      broker = new EmbeddedBroker({
        trust: fleet.authority,
        host: '127.0.0.1',
        port: 0,
        clock: systemClock,
        log,
        refusals,
      });
      await broker.start();
      const inProcess = { inProcess: () => broker.connectInProcess() };
      hub = new HubLink({ broker: inProcess, clientId: 'hub', clock: systemClock, log, refusals });
      hub.onHeartbeat(() => void beatsMs.push(performance.now()));
      await hub.start();
      let ids = 0;
      streams = new DeviceStreams({ link: hub, isConnected: () => true, newId: () => `s${++ids}` });
      await joinDevice();
    },
    after: async () => {
      relay.stop();
      await hub.stop();
      await broker.stop();
      fleet.remove();
    },
  },
);
