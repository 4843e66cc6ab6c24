/** A device that joined properly and then misbehaves: real certificate, hostile words. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type MqttClient } from '../../kit/mqtt.ts';
import { type Lab, runCommand } from './lab.ts';

const COX = fileURLToPath(new URL('../../dist/cox.js', import.meta.url));
const CONNECT_MS = 10_000;

/** The identity that a hub gave to a machine outside the lab's hosts. */
export class Rogue {
  readonly name: string;
  readonly #dir: string;
  readonly #url: string;

  private constructor(name: string, dir: string) {
    this.name = name;
    this.#dir = dir;
    const { mqtt } = JSON.parse(this.#read('hub.json')) as { mqtt: string[] };
    this.#url = mqtt[0] ?? '';
  }

  /** Joins under `name` as `cox token create` and `cox join` do it. */
  static async join(lab: Lab, name: string): Promise<Rogue> {
    const token = await runCommand(process.execPath, [
      COX,
      'token',
      'create',
      '--kubeconfig',
      lab.kubeconfig,
    ]);
    const line = /^cox (join .*)$/m.exec(token)?.[1] ?? '';
    const dir = mkdtempSync(join(tmpdir(), 'rogue-'));
    await runCommand(process.execPath, [COX, ...line.split(' '), '--node-name', name, '--data-dir', dir]);
    return new Rogue(name, dir);
  }

  /** Connects with the client id that is due to it; rejects when refused. Never reconnects. */
  async connect(): Promise<MqttClient> {
    const client = connect(this.#url, {
      clientId: `system:node:${this.name}`,
      clean: true,
      protocolVersion: 4,
      reconnectPeriod: 0,
      key: this.#read('node.key'),
      cert: this.#read('node.crt'),
      ca: this.#read('ca.crt'),
    });
    // The hub hangs up on what it refuses: that is what the tests look at by other means.
    client.on('error', () => undefined);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no CONNACK')), CONNECT_MS);
      client.once('connect', () => resolve());
      client.once('close', () => reject(new Error('the hub closed the connection')));
      client.once('connect', () => clearTimeout(timer));
    });
    return client;
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #read(file: string): string {
    return readFileSync(join(this.#dir, 'identity', file), 'utf8');
  }
}

/** Resolves when the hub has hung up. */
export function hungUp(client: MqttClient): Promise<void> {
  return client.connected
    ? new Promise((resolve) => client.once('close', () => resolve()))
    : Promise.resolve();
}
