import { execFile } from 'node:child_process';

/** What a board is, asked once at start. Texts are empty where the machine does not say. */
export interface Inventory {
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly cpuBrand: string;
  readonly physicalCores: number;
}

const LIMIT_MS = 30_000;

/** Asks systeminformation, which starts some 40 child processes: never call it periodically. Rejects when it fails. */
export async function readInventory(): Promise<Inventory> {
  const { cpu, system } = await import('systeminformation');
  const [board, processor] = await Promise.all([system(), cpu()]);
  return {
    manufacturer: board.manufacturer,
    model: board.model,
    serial: board.serial === '-' ? '' : board.serial,
    cpuBrand: `${processor.manufacturer} ${processor.brand}`.trim(),
    physicalCores: processor.physicalCores,
  };
}

/**
 * The same from a child process that runs `command` and prints the inventory as JSON: the library's 5 MB of private memory
 * do not stay in the agent. Rejects when the child fails or takes longer than 30 s.
 */
export function readInventoryApart(command: readonly [string, ...string[]]): Promise<Inventory> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: LIMIT_MS, maxBuffer: 64 * 1024 }, (error, stdout) => {
      if (error !== null) return reject(error);
      try {
        return resolve(decodeInventory(JSON.parse(stdout)));
      } catch (cause) {
        return reject(new Error('the inventory is not readable', { cause }));
      }
    });
  });
}

function decodeInventory(raw: unknown): Inventory {
  const fields = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>;
  const text = (name: string): string => (typeof fields[name] === 'string' ? fields[name] : '');
  const cores = fields['physicalCores'];
  return {
    manufacturer: text('manufacturer'),
    model: text('model'),
    serial: text('serial'),
    cpuBrand: text('cpuBrand'),
    physicalCores: typeof cores === 'number' ? cores : 0,
  };
}
