import { dirname } from 'node:path';
import type { FileSystem, OpenFile } from '../../kit/file-system.ts';

/** A call that a test may make fail; `index` counts all calls from 0. */
export interface DiskCall {
  readonly op:
    | 'open'
    | 'write'
    | 'read'
    | 'sync'
    | 'truncate'
    | 'rename'
    | 'unlink'
    | 'readdir'
    | 'syncDirectory';
  readonly path: string;
  readonly index: number;
}

/**
 * How a call fails: with an error and no effect; `torn`: half of a write reaches the disk, then EIO; `crash`: like `torn`, and every
 * later call fails too, until `afterPowerCut` or `afterKill` makes the disk that the next process finds.
 */
export type Fault = 'ENOSPC' | 'EIO' | 'torn' | 'crash';

interface Inode {
  /** What survives a power cut for certain. */
  synced: Buffer;
  live: Buffer;
}

/** Bytes that reach the medium together or not at all. */
const BLOCK_BYTES = 32;

/** A file system in memory that knows what is synced and what is not, with faults at any call. */
export class FailingDisk implements FileSystem {
  /** Asked before each call; undefined lets it pass. */
  fault: (call: DiskCall) => Fault | undefined = () => undefined;
  /** Most bytes of all files; a write beyond it fails with ENOSPC after filling the rest. */
  capacityBytes = Number.POSITIVE_INFINITY;
  calls = 0;
  #crashed = false;
  readonly #names: Map<string, Inode>;
  #syncedNames: Map<string, Inode>;
  /** Name changes since the last sync of their directory, in order. */
  #unsynced: { directory: string; apply: (names: Map<string, Inode>) => void }[] = [];

  constructor(files: ReadonlyMap<string, Buffer> = new Map()) {
    this.#names = new Map(
      [...files].map(([path, data]) => [path, { synced: Buffer.from(data), live: Buffer.from(data) }]),
    );
    this.#syncedNames = new Map(this.#names);
  }

  /** True once a fault was `crash`. */
  get crashed(): boolean {
    return this.#crashed;
  }

  get files(): Map<string, Buffer> {
    return new Map([...this.#names].map(([path, inode]) => [path, inode.live]));
  }

  /** Puts bytes in place as if they had always been there. */
  put(path: string, data: Buffer): void {
    const inode = { synced: Buffer.from(data), live: Buffer.from(data) };
    this.#names.set(path, inode);
    this.#syncedNames.set(path, inode);
  }

  remove(path: string): void {
    this.#names.delete(path);
    this.#syncedNames.delete(path);
  }

  /** The disk after the process alone was killed: the kernel still writes everything. */
  afterKill(): FailingDisk {
    return new FailingDisk(this.files);
  }

  /** The disk after the power went: of what was not synced, any blocks and the first few name changes. `unit` yields 0..1. */
  afterPowerCut(unit: () => number): FailingDisk {
    const names = new Map(this.#syncedNames);
    const survivors = Math.floor(unit() * (this.#unsynced.length + 1));
    for (const { apply } of this.#unsynced.slice(0, survivors)) apply(names);
    return new FailingDisk(new Map([...names].map(([path, inode]) => [path, halfSynced(inode, unit)])));
  }

  async open(path: string, how: 'read' | 'create' | 'update'): Promise<OpenFile> {
    await this.#pass({ op: 'open', path });
    let inode = this.#names.get(path);
    if (inode === undefined && how !== 'create') throw failure('ENOENT', path);
    if (inode === undefined) {
      const made: Inode = { synced: Buffer.alloc(0), live: Buffer.alloc(0) };
      inode = made;
      this.#change(path, (names) => names.set(path, made));
    } else if (how === 'create') inode.live = Buffer.alloc(0);
    return this.#file(path, inode);
  }

  async readFile(path: string): Promise<Buffer> {
    await this.#pass({ op: 'read', path });
    const inode = this.#names.get(path);
    if (inode === undefined) throw failure('ENOENT', path);
    return Buffer.from(inode.live);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#pass({ op: 'rename', path: from });
    const inode = this.#names.get(from);
    if (inode === undefined) throw failure('ENOENT', from);
    this.#change(from, (names) => {
      names.delete(from);
      names.set(to, inode);
    });
  }

  async unlink(path: string): Promise<void> {
    await this.#pass({ op: 'unlink', path });
    if (!this.#names.has(path)) throw failure('ENOENT', path);
    this.#change(path, (names) => names.delete(path));
  }

  async readdir(path: string): Promise<string[]> {
    await this.#pass({ op: 'readdir', path });
    return [...this.#names.keys()].filter((n) => dirname(n) === path).map((n) => n.slice(path.length + 1));
  }

  async mkdir(): Promise<void> {
    await Promise.resolve();
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#pass({ op: 'syncDirectory', path });
    for (const { directory, apply } of this.#unsynced) if (directory === path) apply(this.#syncedNames);
    this.#unsynced = this.#unsynced.filter(({ directory }) => directory !== path);
  }

  #file(path: string, inode: Inode): OpenFile {
    return {
      write: async (data, position) => {
        const room = Math.max(0, this.capacityBytes - this.#usedBytes());
        const growth = Math.max(0, position + data.byteLength - inode.live.length);
        const half = (): void => splice(inode, data.subarray(0, data.byteLength >> 1), position);
        await this.#pass({ op: 'write', path }, half);
        if (growth > room) {
          splice(inode, data.subarray(0, data.byteLength - growth + room), position);
          throw failure('ENOSPC', path);
        }
        splice(inode, data, position);
      },
      read: async (position, length) => {
        await this.#pass({ op: 'read', path });
        if (position + length > inode.live.length) throw new Error(`${path} is too short`);
        return Buffer.from(inode.live.subarray(position, position + length));
      },
      sync: async () => {
        await this.#pass({ op: 'sync', path });
        inode.synced = Buffer.from(inode.live);
      },
      truncate: async (length) => {
        await this.#pass({ op: 'truncate', path });
        inode.live = Buffer.from(inode.live.subarray(0, length));
      },
      close: () => Promise.resolve(),
    };
  }

  #usedBytes(): number {
    return [...new Set(this.#names.values())].reduce((sum, inode) => sum + inode.live.length, 0);
  }

  #change(path: string, apply: (names: Map<string, Inode>) => void): void {
    apply(this.#names);
    this.#unsynced.push({ directory: dirname(path), apply });
  }

  async #pass(call: Omit<DiskCall, 'index'>, half: () => void = () => undefined): Promise<void> {
    // As with a real disk, the answer comes later.
    await Promise.resolve();
    if (this.#crashed) throw failure('ECRASHED', call.path);
    const fault = this.fault({ ...call, index: this.calls++ });
    if (fault === undefined) return;
    if (fault === 'torn' || fault === 'crash') half();
    if (fault === 'crash') this.#crashed = true;
    throw failure(fault === 'torn' ? 'EIO' : fault === 'crash' ? 'ECRASHED' : fault, call.path);
  }
}

function splice(inode: Inode, data: Uint8Array, position: number): void {
  const length = Math.max(inode.live.length, position + data.byteLength);
  const next = Buffer.alloc(length);
  inode.live.copy(next);
  next.set(data, position);
  inode.live = next;
}

function halfSynced(inode: Inode, unit: () => number): Buffer {
  const { synced, live } = inode;
  const [least, most] = [Math.min(synced.length, live.length), Math.max(synced.length, live.length)];
  const result = Buffer.alloc(least + Math.floor(unit() * (most - least + 1)));
  for (let at = 0; at < result.length; at += BLOCK_BYTES) {
    const source = unit() < 0.5 ? live : synced;
    if (at < source.length) source.copy(result, at, at, Math.min(at + BLOCK_BYTES, result.length));
  }
  return result;
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
