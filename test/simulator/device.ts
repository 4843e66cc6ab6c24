/** One simulated device: the real agent on a board of files and an engine in memory, with a real MQTT connection. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent } from '../../edge-agent/agent.ts';
import { DesiredCache } from '../../edge-agent/cache/desired-cache.ts';
import { FlooredClock } from '../../edge-agent/cache/floored-clock.ts';
import { chooseProfile, type ProfileFile } from '../../edge-agent/decide/profile.ts';
import type { AgentGround } from '../../edge-agent/ground.ts';
import { readIdentity } from '../../edge-agent/link/identity.ts';
import { MemoryRuntime } from '../../edge-agent/runtime/memory.ts';
import { MachineFiles } from '../../edge-agent/sensors/machine-files.ts';
import type { StreamRuntime } from '../../edge-agent/streams/ports.ts';
import type { Authority } from '../../hub/pki/authority.ts';
import { systemClock } from '../../kit/clock.ts';
import { NODES_GROUP, nodeCommonName } from '../../kit/csr.ts';
import type { Logger } from '../../kit/logger.ts';
import { writeBoard } from './board.ts';

/** What all devices of one process share. */
export interface DeviceWorld {
  /** Every device has a folder here; memory, not disk. */
  readonly folder: string;
  readonly authority: Authority;
  readonly mqttUrl: string;
  readonly profiles: readonly ProfileFile[];
  readonly log: Logger;
}

const BOARD = { cpuCount: 4, memoryMib: 4096, usedMib: 900 };
const IMAGES = { 'busybox:latest': ['sleep', 'infinity'], 'busybox:2': ['sleep', 'infinity'] };
/** As a Raspberry Pi takes about as long for a container, the engine is not what is measured here. */
const START_MS = 5;

/** Gives the device an identity as joining would, and starts its agent. */
export async function startDevice(world: DeviceWorld, name: string): Promise<Agent> {
  const dataDir = join(world.folder, name);
  await writeIdentity(world, name, dataDir);
  const board = join(dataDir, 'board');
  writeBoard(board, BOARD);
  const options = {
    dataDir,
    runDir: join(dataDir, 'run'),
    dockerSocket: '',
    profile: ['generic-x64'],
    network: 'coxswain',
    bridge: 'cox0',
    diskPath: '/',
    offline: false,
    log: world.log,
    inventoryCommand: ['false'] as const,
  };
  const clock = new FlooredClock(systemClock);
  const cache = await DesiredCache.open(join(dataDir, 'cache'), {
    log: world.log,
    nowMs: () => clock.nowMs(),
  });
  const identity = await readIdentity(dataDir);
  const profile = chooseProfile(world.profiles, { model: '', arch: 'x64' }, options.profile);
  const lock = { release: () => undefined };
  const agent = new Agent(options, { lock, identity, cache, clock, profile }, groundAt(board));
  await agent.start();
  return agent;
}

function groundAt(board: string): AgentGround {
  const engine = new MemoryRuntime({ clock: systemClock, images: IMAGES, startMs: START_MS });
  return {
    runtime: engine,
    images: engine,
    platform: { os: 'linux', architecture: 'amd64', emulated: new Set() },
    streams: NO_STREAMS,
    files: new MachineFiles(board),
    cpuCount: BOARD.cpuCount,
    takeInventory: () =>
      Promise.resolve({
        manufacturer: 'Coxswain',
        model: 'Simulated board',
        serial: '',
        cpuBrand: '',
        physicalCores: BOARD.cpuCount,
      }),
    oomKilled: () => false,
  };
}

async function writeIdentity(world: DeviceWorld, name: string, dataDir: string): Promise<void> {
  const { authority, mqttUrl } = world;
  const { certPem, keyPem } = await authority.issueClient(nodeCommonName(name), [NODES_GROUP], 30);
  const hub = { cluster: authority.clusterId, nodeName: name, api: ['https://127.0.0.1'], mqtt: [mqttUrl] };
  const dir = join(dataDir, 'identity');
  mkdirSync(dir, { recursive: true });
  const files = {
    'node.crt': certPem,
    'node.key': keyPem,
    'ca.crt': authority.caPem,
    'hub.json': JSON.stringify(hub),
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text, { mode: 0o600 });
}

const refuse = (): Promise<never> => Promise.reject(new Error('the simulated engine has no streams'));
const NO_STREAMS: StreamRuntime = { logs: refuse, openExec: refuse, openAttach: refuse };
