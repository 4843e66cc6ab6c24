import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type BrokerAddress, LinkError } from '../../hub/broker/device-link.ts';
import { EmbeddedBroker } from '../../hub/broker/embedded.ts';
import { HubLink } from '../../hub/broker/hub-link.ts';
import { Refusals } from '../../hub/broker/refusals.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { MqttClient } from '../../kit/mqtt.ts';
import type { Control, Report } from '../../protocol/wire/messages.ts';
import { encodeTelemetry } from '../../protocol/wire/telemetry.ts';
import { topics } from '../../protocol/wire/topics.ts';
import { type Fleet, openFleet, outcome, until } from '../build/devices.ts';
import { spec } from '../spec.ts';

interface Broker {
  readonly address: BrokerAddress;
  readonly port: number;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find((path) => existsSync(path));
const log = silentLogger;

async function embedded(fleet: Fleet, refusals: Refusals): Promise<Broker> {
  const options = { trust: fleet.authority, host: '127.0.0.1', clock: systemClock, log, refusals };
  let broker = new EmbeddedBroker({ ...options, port: 0 });
  await broker.start();
  const port = broker.port;
  return {
    address: { inProcess: () => broker.connectInProcess() },
    port,
    restart: async () => {
      await broker.stop();
      broker = new EmbeddedBroker({ ...options, port });
      await broker.start();
    },
    stop: () => broker.stop(),
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

function mosquittoConfig(fleet: Fleet, port: number): string {
  const { dir } = fleet;
  const devices = ['w1', 'w2'].map(
    (n) =>
      `user system:node:${n}\ntopic write cox/1/${n}/h\ntopic write cox/1/${n}/r\ntopic read cox/1/${n}/d\n` +
      `topic write cox/1/${n}/x/+/u\ntopic read cox/1/${n}/x/+/d\n`,
  );
  const acl = `user coxswain-hub\ntopic readwrite cox/1/#\n${devices.join('')}`;
  writeFileSync(join(dir, 'acl'), acl, { mode: 0o600 });
  const files = `cafile ${dir}/ca.crt\ncertfile ${dir}/server.crt\nkeyfile ${dir}/server.key\nacl_file ${dir}/acl\n`;
  const rules = 'require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n';
  return `user root\nlistener ${port} 127.0.0.1\n${files}${rules}`;
}

async function mosquitto(fleet: Fleet): Promise<Broker> {
  const port = await freePort();
  const config = join(fleet.dir, 'mosquitto.conf');
  writeFileSync(config, mosquittoConfig(fleet, port));
  let child: ChildProcess;
  const launch = async (): Promise<void> => {
    child = spawn(MOSQUITTO ?? '', ['-c', config], { stdio: 'ignore' });
    let isUp = false;
    while (!isUp) {
      const probe = connectTcp(port, '127.0.0.1');
      isUp = await new Promise((resolve) => {
        probe.on('connect', () => resolve(true));
        probe.on('error', () => setTimeout(() => resolve(false), 20));
      });
      probe.destroy();
    }
  };
  const end = async (): Promise<void> => {
    child.kill();
    await once(child, 'exit');
  };
  await launch();
  const { certPem, keyPem } = await fleet.authority.issueClient('coxswain-hub', [], 1);
  const url = `mqtts://127.0.0.1:${port}`;
  return {
    address: { url, ca: fleet.authority.caPem, cert: certPem, key: keyPem },
    port,
    restart: async () => {
      await end();
      await launch();
    },
    stop: end,
  };
}

const report: Report = { t: 'sync', boot: 'b', seq: 1, cluster: 'c', gen: 3, have: { 'pod/1': 'r' } };
const sample = {
  windowMs: 1000,
  cpuRatio: 0.5,
  memoryUsedBytes: 1024,
  memoryTotalBytes: 2048,
  diskRatio: 0.25,
};
const hello: Control = { t: 'hello?' };

function contract(name: string, open: (fleet: Fleet, refusals: Refusals) => Promise<Broker>): void {
  const refusals = new Refusals(systemClock, log);
  let fleet: Fleet;
  let broker: Broker;
  let link: HubLink;
  let device: MqttClient;
  const got: { control: string[]; frames: Buffer[] } = { control: [], frames: [] };

  const join1 = async (): Promise<void> => {
    device = fleet.device(broker.port, 'w1', await fleet.identity('w1'));
    device.on('message', (topic, payload) => {
      if (topic === topics.control('w1')) got.control.push(payload.toString());
      else got.frames.push(payload);
    });
    assert.is(await outcome(device), 'connected');
    await device.subscribeAsync(topics.deviceFilters('w1'), { qos: 1 });
  };

  spec(
    `link: ${name}`,
    (it) => {
      it('carries reports, heartbeats and frames up, undecodable ones counted', async () => {
        const seen: string[] = [];
        link.onReport((node, r) => seen.push(`${node} ${JSON.stringify(r)}`));
        link.onHeartbeat((node, t) => seen.push(`${node} ${JSON.stringify(t)}`));
        link.onFrame((node, stream, bytes) => seen.push(`${node} ${stream} ${bytes.join()}`));
        await device.publishAsync(topics.report('w1'), JSON.stringify(report), { qos: 1 });
        await device.publishAsync(topics.report('w1'), '{"t":"nonsense"}', { qos: 1 });
        await device.publishAsync(topics.heartbeat('w1'), '');
        await device.publishAsync(topics.heartbeat('w1'), Buffer.from(encodeTelemetry(sample)));
        await device.publishAsync(topics.streamUp('w1', 's1'), Buffer.from([1, 2]));
        await until('four messages', () => seen.length === 4 && refusals.total('Undecodable', 'w1') === 1);
        assert.equal(seen, [
          `w1 ${JSON.stringify(report)}`,
          'w1 undefined',
          `w1 ${JSON.stringify(sample)}`,
          'w1 s1 1,2',
        ]);
      });

      it('carries control and frames down, in order, to the named device only', async () => {
        await link.sendControl('w2', hello);
        for (let i = 0; i < 50; i++) await link.sendControl('w1', { t: 'ack', boot: 'b', seq: i });
        link.sendFrame('w1', 's1', Uint8Array.of(7));
        await until('51 messages', () => got.control.length === 50 && got.frames.length === 1);
        assert.is(got.control[49], JSON.stringify({ t: 'ack', boot: 'b', seq: 49 }));
        assert.equal(got.frames[0], Buffer.of(7));
      });

      it('carries the largest desired state, and refuses to send more', async () => {
        const big = (bytes: number): Control => ({
          t: 'welcome',
          cluster: 'c',
          version: 1,
          hub: 'x'.repeat(bytes),
          atMs: 0,
        });
        const before = got.control.length;
        await link.sendControl('w1', big(2 * 1024 * 1024 - 1024));
        await until('the large message', () => got.control.length === before + 1);
        const error = await link.sendControl('w1', big(2 * 1024 * 1024)).catch((e: unknown) => e);
        assert.ok(error instanceof LinkError && error.reason === 'TooLarge');
      });

      it('says so at once while the broker is away, and comes back by itself', async () => {
        await broker.restart();
        await until('reconnected', () => link.isConnected, 20_000);
        await join1();
        const before = got.control.length;
        await link.sendControl('w1', hello);
        await until('a message after the restart', () => got.control.length === before + 1);
      });

      it('rejects what is sent after it has stopped', async () => {
        await link.stop();
        const error = await link.sendControl('w1', hello).catch((e: unknown) => e);
        assert.ok(error instanceof LinkError && error.reason === 'Disconnected');
      });
    },
    {
      caseTimeoutMs: 30_000,
      before: async () => {
        fleet = await openFleet();
        broker = await open(fleet, refusals);
        link = new HubLink({
          broker: broker.address,
          clientId: 'coxswain-hub',
          clock: systemClock,
          log,
          refusals,
        });
        await link.start();
        await join1();
      },
      after: async () => {
        device.end(true);
        await broker.stop();
        fleet.remove();
      },
    },
  );
}

contract('embedded broker', embedded);
if (MOSQUITTO === undefined)
  process.stdout.write('mosquitto is not installed: its half of the contract is left out\n');
else contract('mosquitto', mosquitto);
