import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Authority, type KeyPair, openAuthority } from '../../hub/pki/authority.ts';
import { type Clock, systemClock } from '../../kit/clock.ts';
import { buildNodeCsr, newPrivateKeyPem } from '../../kit/csr.ts';
import { silentLogger } from '../../kit/logger.ts';
import { connect, type IClientOptions, type MqttClient } from '../../kit/mqtt.ts';

/** An authority in a directory of its own, and devices of it. */
export interface Fleet {
  readonly dir: string;
  readonly authority: Authority;
  identity(name: string): Promise<KeyPair>;
  /** A client that tells nothing to its device code but what MQTT tells; never reconnects. */
  device(port: number, name: string, identity: KeyPair, over?: IClientOptions): MqttClient;
  remove(): void;
}

/** Makes a CA for tests on loopback. */
export async function openFleet(clock: Clock = systemClock): Promise<Fleet> {
  const dir = mkdtempSync(join(tmpdir(), 'cox-fleet-'));
  const authority = await openAuthority(dir, { hosts: ['127.0.0.1'], clock, log: silentLogger });
  return {
    dir,
    authority,
    identity: async (name) => {
      const keyPem = newPrivateKeyPem();
      return { keyPem, certPem: await authority.signNodeCsr(buildNodeCsr(keyPem, name), name) };
    },
    device: (port, name, { keyPem, certPem }, over = {}) =>
      connect(`mqtts://127.0.0.1:${port}`, {
        clientId: `system:node:${name}`,
        clean: true,
        protocolVersion: 4,
        reconnectPeriod: 0,
        key: keyPem,
        cert: certPem,
        ca: authority.caPem,
        ...over,
      }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Resolves to `connected`, or to why not: the CONNACK's return code, or `closed`. */
export function outcome(client: MqttClient): Promise<'connected' | 'closed' | number> {
  return new Promise((resolve) => {
    client.on('connect', () => resolve('connected'));
    client.on('error', (error) => {
      if ('code' in error && typeof error.code === 'number') resolve(error.code);
    });
    client.on('close', () => resolve('closed'));
  });
}

/** A bare TLS connection with a device's certificate, for bytes no client library would send. */
export async function rawConnection(port: number, fleet: Fleet, identity?: KeyPair): Promise<TLSSocket> {
  const secrets = identity === undefined ? {} : { key: identity.keyPem, cert: identity.certPem };
  const socket = connectTls({ host: '127.0.0.1', port, ca: fleet.authority.caPem, ...secrets });
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'secureConnect');
  return socket;
}

/** Waits for `is` to hold, looking every 10 ms; rejects after `limitMs` with `what`. */
export async function until(what: string, is: () => boolean, limitMs = 8_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!is()) {
    if (performance.now() > endMs) throw new Error(`waited ${limitMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The DER bytes of a PEM certificate. */
export const derOf = (pem: string): Buffer => new X509Certificate(pem).raw;
