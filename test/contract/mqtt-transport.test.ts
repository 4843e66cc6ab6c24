import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import { type Identity, readIdentity, sameIdentity, storeRenewal } from '../../edge-agent/link/identity.ts';
import { MqttTransport } from '../../edge-agent/link/mqtt-transport.ts';
import { Renewer } from '../../edge-agent/link/renewer.ts';
import {
  ConnectError,
  type Connection,
  type ConnectReason,
  type ConnectRequest,
} from '../../edge-agent/link/transport.ts';
import { EmbeddedBroker } from '../../hub/broker/embedded.ts';
import { HubLink } from '../../hub/broker/hub-link.ts';
import { Refusals } from '../../hub/broker/refusals.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { topics } from '../../protocol/wire/topics.ts';
import { type Fleet, openFleet, until } from '../build/devices.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const log = silentLogger;
const refusals = new Refusals(systemClock, log);
let fleet: Fleet;
let foreign: Fleet;
let broker: EmbeddedBroker;
let hub: HubLink;
let identity: Identity;
const beats: string[] = [];
const frames: Uint8Array[] = [];

const request = (over: Partial<ConnectRequest> = {}): ConnectRequest => ({
  address: `mqtts://127.0.0.1:${broker.port}`,
  identity,
  clientId: 'system:node:w1',
  subscribe: topics.deviceFilters('w1'),
  keepAliveSeconds: 60,
  ...over,
});

interface Live {
  readonly connection: Connection;
  readonly messages: [string, string][];
  readonly closes: string[];
}

async function connect(over: Partial<ConnectRequest> = {}, clock = systemClock): Promise<Live> {
  const messages: [string, string][] = [];
  const closes: string[] = [];
  const connection = await new MqttTransport(clock).connect(request(over), {
    onMessage: (topic, payload) => void messages.push([topic, Buffer.from(payload).toString()]),
    onClose: (why) => void closes.push(why),
  });
  return { connection, messages, closes };
}

async function refusal(over: Partial<ConnectRequest>, clock = systemClock): Promise<ConnectReason | 'none'> {
  try {
    const live = await connect(over, clock);
    await live.connection.close();
    return 'none';
  } catch (error) {
    if (error instanceof ConnectError) return error.reason;
    throw error;
  }
}

const open = async (): Promise<void> => {
  fleet = await openFleet();
  foreign = await openFleet();
  broker = new EmbeddedBroker({
    trust: fleet.authority,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log,
    refusals,
  });
  await broker.start();
  hub = new HubLink({
    broker: { inProcess: () => broker.connectInProcess() },
    clientId: 'hub',
    clock: systemClock,
    log,
    refusals,
  });
  hub.onHeartbeat((node) => void beats.push(node));
  hub.onFrame((_node, _stream, bytes) => void frames.push(bytes));
  await hub.start();
  const keys = await fleet.identity('w1');
  identity = {
    cluster: fleet.authority.clusterId,
    nodeName: 'w1',
    api: [],
    mqtt: [`127.0.0.1:${broker.port}`],
    certificate: keys.certPem,
    key: keys.keyPem,
    ca: fleet.authority.caPem,
  };
};

const close = async (): Promise<void> => {
  await hub.stop();
  await broker.stop();
  fleet.remove();
  foreign.remove();
};

spec(
  'MqttTransport',
  (it) => {
    it('connects, talks both ways and says goodbye', async () => {
      const live = await connect();
      assert.is(live.connection.localAddress, '127.0.0.1');
      await live.connection.publish(topics.heartbeat('w1'), new Uint8Array(0), 0);
      await live.connection.publish(topics.heartbeat('w1'), new Uint8Array(0), 1);
      await hub.sendControl('w1', { t: 'hello?' });
      await until('both ways', () => beats.length === 2 && live.messages.length === 1);
      assert.equal(live.messages, [['cox/1/w1/d', '{"t":"hello?"}']]);
      await live.connection.close();
      assert.equal(live.closes, ['closed by this device']);
      await live.connection.close();
    });

    it('carries a megabyte of stream frames unharmed, with a beat in between', async () => {
      const live = await connect();
      const frame = new Uint8Array(16 * 1024).map((_, i) => i % 251);
      const seen = beats.length;
      for (let i = 0; i < 64; i++) void live.connection.publish(topics.streamUp('w1', 's'), frame, 0);
      await live.connection.publish(topics.heartbeat('w1'), new Uint8Array(0), 1);
      await until('all frames', () => frames.length === 64 && beats.length > seen);
      assert.ok(frames.every((f) => Buffer.from(f).equals(Buffer.from(frame))));
      await live.connection.close();
    });

    it('tells once when the connection ends, and keeps nothing for later', async () => {
      const live = await connect();
      live.connection.destroy('no answer');
      await until('the end', () => live.closes.length > 0);
      assert.equal(live.closes, ['no answer']);
      let why = '';
      await live.connection.publish('cox/1/w1/h', new Uint8Array(0), 1).catch((e: Error) => {
        why = e.message;
      });
      assert.is(why, 'not connected');
    });

    it('knows a hub that is not ours, and sends it nothing', async () => {
      assert.is(await refusal({ identity: { ...identity, ca: foreign.authority.caPem } }), 'NotOurHub');
      assert.is(await refusal({ address: `127.1:${broker.port}` }), 'NotOurHub', 'another name');
    });

    it('is refused with a foreign certificate or another name', async () => {
      const keys = await foreign.identity('w1');
      const reason = await refusal({
        identity: { ...identity, certificate: keys.certPem, key: keys.keyPem },
      });
      assert.is(reason, 'Refused');
      assert.is(await refusal({ clientId: 'system:node:other' }), 'Refused');
      assert.is(await refusal({ subscribe: ['cox/1/#'] }), 'Refused');
    });

    it('cannot reach what is not there', async () => {
      const probe = createServer().listen(0, '127.0.0.1');
      await once(probe, 'listening');
      const { port } = probe.address() as AddressInfo;
      probe.close();
      await once(probe, 'close');
      assert.is(await refusal({ address: `127.0.0.1:${port}` }), 'Unreachable');
      assert.is(await refusal({ address: 'no such host.invalid:1' }), 'Unreachable');
      assert.is(await refusal({ address: ':' }), 'Unreachable');
    });

    it('proves the hub by chain, purpose, name and end of life when the dates alone are in doubt', async () => {
      const later = Date.now() + 4000 * 86_400_000;
      const future = await openFleet(new ManualClock(later));
      const server = new EmbeddedBroker({
        trust: future.authority,
        host: '127.0.0.1',
        port: 0,
        clock: new ManualClock(later),
        log,
        refusals,
      });
      await server.start();
      const keys = await future.identity('w1');
      const theirs = { ...identity, ca: future.authority.caPem, certificate: keys.certPem, key: keys.keyPem };
      const to = { address: `127.0.0.1:${server.port}`, identity: theirs };
      assert.is(await refusal(to), 'none', 'our clock is years behind, as on a board without a battery');
      assert.is(await refusal({ ...to, address: `127.1:${server.port}` }), 'NotOurHub');
      assert.is(await refusal({ ...to, identity: { ...theirs, ca: identity.ca } }), 'NotOurHub');
      const over = new ManualClock(later + 40_000 * 86_400_000);
      assert.is(await refusal(to, over), 'NotOurHub', 'the floor says that its life is over');
      await server.stop();
      future.remove();
    });

    it('cuts a broker that declares a packet above the limit, before it has come', async () => {
      const { serverKeyPem: key, serverCertPem: cert, caPem: ca } = fleet.authority;
      const sockets: TLSSocket[] = [];
      const liar = createTlsServer({ key, cert, ca, requestCert: true }, (socket) => {
        sockets.push(socket);
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.write(Uint8Array.of(0x20, 2, 0, 0)); // CONNACK
          socket.once('data', (subscribe: Buffer) => {
            socket.write(Uint8Array.of(0x90, 4, subscribe[2] ?? 0, subscribe[3] ?? 0, 1, 1));
          });
        });
      }).listen(0, '127.0.0.1');
      await once(liar, 'listening');
      const live = await connect({ address: `127.0.0.1:${(liar.address() as AddressInfo).port}` });
      sockets[0]?.write(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f));
      await until('the cut', () => live.closes.length > 0);
      assert.match(live.closes[0] ?? '', 'size limit');
      liar.close();
    });
  },
  { before: open, after: close, caseTimeoutMs: 20_000 },
);

spec(
  'identity and renewal',
  (it) => {
    const write = (dir: string, who: Identity): void => {
      const { cluster, nodeName, api, mqtt } = who;
      mkdirSync(join(dir, 'identity'), { recursive: true });
      writeFileSync(join(dir, 'identity/node.crt'), who.certificate);
      writeFileSync(join(dir, 'identity/node.key'), who.key);
      writeFileSync(join(dir, 'identity/ca.crt'), who.ca);
      writeFileSync(join(dir, 'identity/hub.json'), JSON.stringify({ cluster, nodeName, api, mqtt }));
    };
    const joined = async (): Promise<Identity> => {
      const keys = await fleet.identity('w9');
      return {
        cluster: 'c1',
        nodeName: 'w9',
        api: ['https://hub:6443'],
        mqtt: ['hub:8883'],
        certificate: keys.certPem,
        key: keys.keyPem,
        ca: fleet.authority.caPem,
      };
    };
    const device = (name: string): string => join(fleet.dir, name);

    it('tells not joined from damaged', async () => {
      const none = await readIdentity(device('none'));
      assert.is(none.ok ? '' : none.problem, 'NotJoined');
      write(device('bad'), await joined());
      writeFileSync(join(device('bad'), 'identity/hub.json'), '{"cluster":');
      const bad = await readIdentity(device('bad'));
      assert.is(bad.ok ? '' : bad.problem, 'Unreadable');
    });

    it('reads what was joined, and stores a renewal for the same key', async () => {
      const before = await joined();
      write(device('w9'), before);
      const answer = { certificate: 'new', ca: '', cluster: 'c1', mqtt: ['new:1'], api: [] };
      await storeRenewal(device('w9'), before, answer);
      const read = await readIdentity(device('w9'));
      assert.ok(read.ok);
      if (!read.ok) return;
      assert.equal([read.identity.certificate, read.identity.key], ['new', before.key]);
      assert.equal([read.identity.mqtt, read.identity.api], [['new:1'], before.api]);
      assert.is(sameIdentity(before, read.identity), false);
    });

    it('renews at two thirds of the life, not before, and not again within the hour', async () => {
      const clock = new ManualClock(Date.now());
      const before = await joined();
      write(device('due'), before);
      const asked: string[] = [];
      const renewer = new Renewer(device('due'), clock, log, (_identity, address, csr) => {
        asked.push(address);
        assert.match(csr, 'CERTIFICATE REQUEST');
        return Promise.resolve({ ...before, certificate: 'fresh' });
      });
      assert.is(await renewer.renewIfDue(before), false);
      await clock.advance(300 * 86_400_000);
      assert.is(await renewer.renewIfDue(before), true);
      assert.is(readFileSync(join(device('due'), 'identity/node.crt'), 'utf8'), 'fresh');
      assert.is(await renewer.renewIfDue(before), false);
      await clock.advance(3_700_000);
      assert.is(await renewer.renewIfDue(before, true), true);
      assert.is(asked.length, 2);
    });

    it('goes on with the old certificate when nobody renews it', async () => {
      const before = await joined();
      const renewer = new Renewer(device('w9'), systemClock, log, () => Promise.reject(new Error('down')));
      assert.is(await renewer.renewIfDue(before, true), false);
    });
  },
  {
    before: async () => {
      fleet = await openFleet();
    },
    after: () => fleet.remove(),
  },
);
