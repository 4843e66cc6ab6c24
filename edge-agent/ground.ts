import { arch, cpus, machine, platform } from 'node:os';
import type { NodePlatform } from './decide/image-platform.ts';
import type { ImageStore } from './defence/ports.ts';
import type { AgentOptions } from './open.ts';
import type { Runtime } from './pods/ports.ts';
import { DockerRuntime } from './runtime/docker.ts';
import { type Inventory, readInventoryApart } from './sensors/inventory.ts';
import { MachineFiles } from './sensors/machine-files.ts';
import { OomLog } from './sensors/oom-log.ts';
import { readPlatform } from './sensors/platform.ts';
import type { StreamRuntime } from './streams/ports.ts';

/** What the agent stands on. Simulations hand in boards and engines of their own; everything above them stays the real thing. */
export interface AgentGround {
  readonly runtime: Runtime;
  readonly images: ImageStore;
  readonly platform: NodePlatform;
  readonly streams: StreamRuntime;
  readonly files: MachineFiles;
  readonly cpuCount: number;
  readonly takeInventory: () => Promise<Inventory>;
  /** Whether the kernel killed a process of this container for want of memory, as far as the kernel itself tells. */
  readonly oomKilled: (containerId: string) => boolean;
}

/** This machine and its engine. */
export function groundOf(options: AgentOptions): AgentGround {
  const engine = new DockerRuntime({ socketPath: options.dockerSocket, networkName: options.network });
  const files = new MachineFiles();
  const oomLog = new OomLog(options.log.with({ room: 'sensors' }));
  return {
    runtime: engine,
    images: engine,
    platform: readPlatform(files, { platform: platform(), arch: arch(), machine: machine() }),
    streams: engine,
    files,
    cpuCount: cpus().length,
    takeInventory: () => readInventoryApart(options.inventoryCommand),
    oomKilled: (id) => oomLog.names(id),
  };
}
