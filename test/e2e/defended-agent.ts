/**
 * The agent's pods with the defence of the node and its devices, cut off from any hub, as a process of their own. Driven by JSON
 * lines like pod-agent.ts; the last argument is a profile file on top of generic-x64.
 */
import { arch } from 'node:os';
import { createInterface } from 'node:readline';
import { deviceCounts } from '../../edge-agent/decide/devices.ts';
import type { NodePlatform } from '../../edge-agent/decide/image-platform.ts';
import { chooseProfile } from '../../edge-agent/decide/profile.ts';
import type { Defence } from '../../edge-agent/defence/defence.ts';
import { containerLimits, makeDefence } from '../../edge-agent/node-defence.ts';
import { PodManager } from '../../edge-agent/pods/pod-manager.ts';
import { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import { DeviceWatch } from '../../edge-agent/sensors/device-watch.ts';
import { FactsKeeper } from '../../edge-agent/sensors/facts-keeper.ts';
import { MachineFiles } from '../../edge-agent/sensors/machine-files.ts';
import { OomLog } from '../../edge-agent/sensors/oom-log.ts';
import { loadProfiles } from '../../edge-agent/sensors/profile-files.ts';
import { systemClock, toTime } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { type DesiredLine, toState } from './desired-line.ts';

const [socketPath = '', dataDir = '', runDir = '', profilePath = ''] = process.argv.slice(2);
const write = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const board: NodePlatform = { os: 'linux', architecture: 'amd64', emulated: new Set() };
const network = { name: 'coxswain', bridge: 'cox0', masquerade: true };
const { files: profiles, names } = await loadProfiles(['generic-x64', profilePath]);
const profile = chooseProfile(profiles, { model: '', arch: arch() }, names);
const files = new MachineFiles();
const oomLog = new OomLog(silentLogger);
const runtime = new DockerRuntime({ socketPath, networkName: network.name });

const devices = new DeviceWatch({
  configs: profile.devices,
  clock: systemClock,
  log: silentLogger,
  onChange: () => {
    manager.devicesChanged();
    refresh();
  },
});
const deviceNames = profile.devices.map((device) => device.name);

const manager = new PodManager({
  runtime,
  clock: systemClock,
  log: silentLogger,
  sinks: {
    onStatus: (status) => write({ status }),
    onEvent: (event) => write({ event }),
    onImagesTouched: () => defence.engineChanged(),
  },
  node: {
    nodeName: 'worker-1',
    hostIp: () => '127.0.0.1',
    cpuMilli: 2000,
    memoryBytes: 2 ** 30,
    network,
    containerLimits: () => containerLimits(profile),
    platform: () => board,
  },
  dataDir,
  runDir,
  concurrency: 8,
  devices: () => ({ names: deviceNames, units: devices.units }),
  oomKilled: (id) => oomLog.names(id),
});

const defence: Defence = makeDefence({
  clock: systemClock,
  log: silentLogger,
  files,
  diskPath: '/',
  store: runtime,
  platform: board,
  pods: manager.defence,
  nodeName: () => 'worker-1',
  profile: () => profile,
  reading: () => facts.pressure,
  refresh: () => refresh(),
  onImagesChanged: () => refresh(),
});

const facts = new FactsKeeper({
  files,
  diskPath: '/',
  agentVersion: '0',
  cpuCount: 2,
  platform: 'linux',
  arch: 'x64',
  kernelVersion: '',
  nodeName: () => 'worker-1',
  profile: () => profile,
  engine: () => ({ isReady: manager.engineReady, version: '' }),
  removedVolumes: () => [],
  dataDir,
  nowTime: () => toTime(systemClock.nowMs()),
  nowMs: () => systemClock.monotonicMs(),
  devices: () => deviceCounts(deviceNames, devices.units),
  images: () => defence.imageFacts,
});

function refresh(): void {
  if (facts.refresh()) write({ facts: facts.facts });
  defence.look();
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => manager.setDesired(toState(JSON.parse(line) as DesiredLine)));
lines.on('close', () => process.exit(0));
devices.start();
await manager.start(new AbortController().signal);
refresh();
