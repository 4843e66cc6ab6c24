import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import type { TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import * as assert from 'uvu/assert';
import { EmbeddedBroker } from '../../hub/broker/embedded.ts';
import { HubLink } from '../../hub/broker/hub-link.ts';
import { type RefusalReason, Refusals } from '../../hub/broker/refusals.ts';
import type { KeyPair } from '../../hub/pki/authority.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { IClientOptions, MqttClient } from '../../kit/mqtt.ts';
import { topics } from '../../protocol/wire/topics.ts';
import { type Fleet, openFleet, outcome, rawConnection, until } from '../build/devices.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const log = silentLogger;
const refusals = new Refusals(systemClock, log);
let fleet: Fleet;
let broker: EmbeddedBroker;
let link: HubLink;
let good: MqttClient;
let rogue: KeyPair;
const heard: string[] = [];
const goodGot: string[] = [];

const CONNECT: Packet = {
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clientId: 'system:node:rogue',
  clean: true,
  keepalive: 60,
};

const asRogue = (over: IClientOptions = {}): MqttClient => fleet.device(broker.port, 'rogue', rogue, over);

/** Runs `act` and expects exactly `times` more refusals of `reason`, and that the good device still has its say. */
async function refusedAs(
  reason: RefusalReason,
  act: () => Promise<unknown>,
  node = 'rogue',
  times = 1,
): Promise<void> {
  const before = refusals.total(reason, node);
  await act();
  await until(`${reason} counted`, () => refusals.total(reason, node) >= before + times);
  assert.is(refusals.total(reason, node), before + times);
  await goodIsFine();
}

async function goodIsFine(): Promise<void> {
  assert.ok(good.connected);
  const before = [heard.filter((n) => n === 'good').length, goodGot.length] as const;
  await good.publishAsync(topics.heartbeat('good'), '');
  await link.sendControl('good', { t: 'hello?' });
  await until(
    'the good device',
    () => heard.filter((n) => n === 'good').length > before[0] && goodGot.length > before[1],
  );
}

async function connectAnd(act: (client: MqttClient) => Promise<unknown>): Promise<void> {
  const client = asRogue();
  assert.is(await outcome(client), 'connected');
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  await act(client);
  await closed;
}

async function closed(socket: TLSSocket): Promise<void> {
  if (!socket.destroyed) await once(socket, 'close');
}

spec(
  'a rogue device at the broker',
  (it) => {
    it('cannot publish for others, downwards, elsewhere or to the broker itself', async () => {
      const wrong = [
        'cox/1/good/h',
        'cox/1/good/r',
        'cox/1/rogue/d',
        'cox/1/rogue/x/s/d',
        '$SYS/x',
        'a',
        'cox/1/rogue/h/x',
      ];
      for (const topic of wrong)
        await refusedAs('TopicNotAllowed', () => connectAnd(async (c) => c.publish(topic, 'x')));
      assert.not.ok(heard.includes('rogue'));
    });

    it('cannot subscribe to others or with wildcards', async () => {
      const client = asRogue();
      await outcome(client);
      const got: string[] = [];
      client.on('message', (topic) => got.push(topic));
      const wrong = [
        '#',
        '+/#',
        'cox/#',
        'cox/1/+/d',
        'cox/1/good/d',
        'cox/1/good/x/+/d',
        'cox/1/rogue/#',
        '$SYS/#',
      ];
      await refusedAs(
        'FilterNotAllowed',
        async () => {
          for (const filter of wrong) {
            const refused = await client.subscribeAsync(filter).then(
              (granted) => granted.every((g) => g.qos === 128),
              () => true,
            );
            assert.ok(refused, filter);
          }
        },
        'rogue',
        wrong.length,
      );
      await link.sendControl('good', { t: 'hello?' });
      await goodIsFine();
      assert.equal(got, []);
      client.end(true);
    });

    it('cannot take another name, keep a session or leave a will', async () => {
      const will = { topic: 'cox/1/rogue/r', payload: Buffer.from('x'), qos: 0, retain: false } as const;
      const cases: [RefusalReason, IClientOptions, number][] = [
        ['ClientIdMismatch', { clientId: 'system:node:good' }, 2],
        ['ClientIdMismatch', { clientId: 'coxswain-hub' }, 2],
        ['PersistentSession', { clean: false }, 5],
        ['LastWill', { will }, 5],
      ];
      for (const [reason, over, code] of cases)
        await refusedAs(reason, async () => assert.is(await outcome(asRogue(over)), code));
      const flood = Array.from({ length: 20 }, () => outcome(asRogue({ clean: false })));
      const outcomes = await Promise.all(flood);
      assert.not.ok(outcomes.includes('connected'));
      await goodIsFine();
    });

    it('cannot leave retained messages or use QoS 2', async () => {
      const topic = topics.heartbeat('rogue');
      await refusedAs('Retained', () => connectAnd(async (c) => c.publish(topic, 'x', { retain: true })));
      await refusedAs('QosTooHigh', () => connectAnd(async (c) => c.publish(topic, 'x', { qos: 2 })));
    });

    it('cannot come without a certificate, with a foreign, expired or personal one', async () => {
      const at = (identity?: KeyPair) => async (): Promise<void> =>
        closed(await rawConnection(broker.port, fleet, identity));
      await refusedAs('NoCertificate', at(), '');
      const other = await openFleet();
      await refusedAs('ForeignCertificate', at(await other.identity('rogue')), '');
      other.remove();
      await refusedAs('NotADevice', at(await fleet.authority.issueClient('x', ['system:masters'], 1)), '');
      const renamed = await fleet.authority.issueClient('system:node:rogue', ['others'], 1);
      await refusedAs('NotADevice', at(renamed), '');
      const past = await fleet.authority.issueClient('system:node:rogue', ['system:nodes'], -1);
      await refusedAs('ExpiredCertificate', async () =>
        assert.is(await outcome(fleet.device(broker.port, 'rogue', past)), 5),
      );
    });

    it('cannot declare a 256 MB packet, before or after CONNECT', async () => {
      const huge = Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]);
      await refusedAs('PacketTooLarge', async () => {
        const socket = await rawConnection(broker.port, fleet, rogue);
        socket.write(Buffer.concat([generate(CONNECT), huge]));
        await closed(socket);
      });
      await refusedAs('PacketTooLarge', async () => {
        const socket = await rawConnection(broker.port, fleet, rogue);
        socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
        await closed(socket);
      });
      await refusedAs('Malformed', async () => {
        const socket = await rawConnection(broker.port, fleet, rogue);
        socket.write(Buffer.concat([generate(CONNECT), Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff])]));
        await closed(socket);
      });
    });

    it('cannot hold connections open in silence', async () => {
      const opened = await Promise.all(
        Array.from({ length: 4 }, () => rawConnection(broker.port, fleet, rogue)),
      );
      await until('four waiting', () => opened.every((s) => !s.destroyed));
      await refusedAs('TooManyConnections', async () =>
        closed(await rawConnection(broker.port, fleet, rogue)),
      );
      await Promise.all(opened.map(closed));
      assert.ok(refusals.total('ConnectTimeout', 'rogue') >= 4);
    });

    it('is only slowed down when it floods', async () => {
      const socket = await rawConnection(broker.port, fleet, rogue);
      const beat = generate({
        cmd: 'publish',
        topic: 'cox/1/rogue/h',
        payload: '',
        qos: 0,
        retain: false,
        dup: false,
      });
      const before = heard.filter((n) => n === 'rogue').length;
      socket.write(generate(CONNECT));
      const burst = Buffer.concat(Array.from({ length: 1_000 }, () => beat));
      await refusedAs('Flooding', async () => {
        for (let i = 0; i < 5; i++) socket.write(burst);
      });
      assert.ok(heard.filter((n) => n === 'rogue').length - before < 5_000);
      socket.destroy();
    });

    it('is cut off when it stops reading, and holds up nobody', async () => {
      const socket = await rawConnection(broker.port, fleet, rogue);
      const subscriptions = [{ topic: topics.control('rogue'), qos: 0 as const }];
      socket.write(generate(CONNECT));
      socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
      await until('both answers', () => socket.bytesRead > 8);
      socket.pause();
      const hub = 'x'.repeat(1024 * 1024);
      await refusedAs('SlowReader', async () => {
        for (let i = 0; i < 40; i++)
          await link.sendControl('rogue', { t: 'welcome', cluster: 'c', version: 1, hub, atMs: 0 });
      });
      socket.destroy();
    });

    it('cannot harm the listener with what is not TLS', async () => {
      await refusedAs(
        'Handshake',
        async () => {
          const socket = connectTcp(broker.port, '127.0.0.1');
          socket.on('error', () => undefined);
          socket.write('GET / HTTP/1.1\r\n\r\n');
          await once(socket.resume(), 'close');
        },
        '',
      );
    });

    it('cannot harm the broker with random bytes', async () => {
      const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
      await fc.assert(
        fc.asyncProperty(bytes, fc.boolean(), async (garbage, isConnected) => {
          const socket = await rawConnection(broker.port, fleet, rogue);
          socket.write(Buffer.concat([isConnected ? generate(CONNECT) : Buffer.alloc(0), garbage]));
          socket.end();
          await closed(socket);
        }),
        { numRuns: 60 },
      );
      await goodIsFine();
      assert.ok(refusals.total('Malformed', 'rogue') > 0);
      assert.is(refusals.total('Malformed', 'good'), 0);
    });

    it('is noticed when it shares its identity', async () => {
      const [a, b] = [asRogue({ reconnectPeriod: 50 }), asRogue({ reconnectPeriod: 50 })];
      await until('the duplicate', () => refusals.total('DuplicateIdentity', 'rogue') > 0);
      a.end(true);
      b.end(true);
      await goodIsFine();
    });
  },
  {
    caseTimeoutMs: 30_000,
    before: async () => {
      fleet = await openFleet(new ManualClock(Date.now()));
      broker = new EmbeddedBroker({
        trust: fleet.authority,
        host: '127.0.0.1',
        port: 0,
        clock: systemClock,
        log,
        refusals,
        connectTimeoutMs: 1_500,
        limits: { packetsPerSecond: 200, maxOutboundBytes: 4 * 1024 * 1024 },
      });
      await broker.start();
      link = new HubLink({
        broker: { inProcess: () => broker.connectInProcess() },
        clientId: 'coxswain-hub',
        clock: systemClock,
        log,
        refusals,
      });
      link.onHeartbeat((node) => heard.push(node));
      await link.start();
      rogue = await fleet.identity('rogue');
      good = fleet.device(broker.port, 'good', await fleet.identity('good'));
      good.on('message', (topic) => goodGot.push(topic));
      assert.is(await outcome(good), 'connected');
      await good.subscribeAsync(topics.deviceFilters('good'), { qos: 1 });
    },
    after: async () => {
      assert.equal(
        goodGot.filter((topic) => topic !== topics.control('good')),
        [],
      );
      good.end(true);
      await link.stop();
      await broker.stop();
      fleet.remove();
    },
  },
);
