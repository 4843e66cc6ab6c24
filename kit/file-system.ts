import * as fsp from 'node:fs/promises';

/** An open file; positions and lengths are bytes. All methods reject with the system call's error (`code`). */
export interface OpenFile {
  /** Writes all of `data` at `position`, or rejects; after a rejection any part of it may have been written. */
  write(data: Uint8Array, position: number): Promise<void>;
  /** Reads exactly `length` bytes; rejects when the file ends before. */
  read(position: number, length: number): Promise<Buffer>;
  /** Resolves when everything written before is on the medium. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** The few file-system calls that durable storage needs, as a dependency, so that tests can make each of them fail. */
export interface FileSystem {
  /** `create` makes the file with mode 0600 or empties it; `update` opens an existing one for reading and writing. */
  open(path: string, how: 'read' | 'create' | 'update'): Promise<OpenFile>;
  readFile(path: string): Promise<Buffer>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  readdir(path: string): Promise<string[]>;
  /** Makes the directory and its parents with mode 0700; fine when it exists. */
  mkdir(path: string): Promise<void>;
  /** Makes names created, renamed or removed in the directory durable. */
  syncDirectory(path: string): Promise<void>;
}

const FLAGS = { read: 'r', create: 'w+', update: 'r+' } as const;

/** The machine's file system. */
export const nodeFileSystem: FileSystem = {
  open: async (path, how) => openFile(await fsp.open(path, FLAGS[how], 0o600), path),
  readFile: (path) => fsp.readFile(path),
  rename: (from, to) => fsp.rename(from, to),
  unlink: (path) => fsp.unlink(path),
  readdir: (path) => fsp.readdir(path),
  mkdir: async (path) => void (await fsp.mkdir(path, { recursive: true, mode: 0o700 })),
  syncDirectory: async (path) => {
    const handle = await fsp.open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

function openFile(handle: fsp.FileHandle, path: string): OpenFile {
  return {
    write: async (data, position) => {
      let done = 0;
      while (done < data.byteLength) {
        const { bytesWritten } = await handle.write(data, done, data.byteLength - done, position + done);
        done += bytesWritten;
      }
    },
    read: async (position, length) => {
      const buffer = Buffer.allocUnsafe(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
        if (bytesRead === 0) throw new Error(`${path} ends before byte ${position + length}`);
        done += bytesRead;
      }
      return buffer;
    },
    // The length is synced with the data (fdatasync does so when it is needed to read them back).
    sync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
}

/** What went to the medium: bytes handed to write calls, and syncs of files and directories. */
export interface WriteMeter {
  bytesWritten: number;
  fsyncs: number;
}

/** The same file system, adding to `meter` what each call writes. */
export function metered(fs: FileSystem, meter: WriteMeter): FileSystem {
  const count = (file: OpenFile): OpenFile => ({
    write: (data, position) => {
      meter.bytesWritten += data.byteLength;
      return file.write(data, position);
    },
    read: (position, length) => file.read(position, length),
    sync: () => {
      meter.fsyncs += 1;
      return file.sync();
    },
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  });
  return {
    open: async (path, how) => count(await fs.open(path, how)),
    readFile: (path) => fs.readFile(path),
    rename: (from, to) => fs.rename(from, to),
    unlink: (path) => fs.unlink(path),
    readdir: (path) => fs.readdir(path),
    mkdir: (path) => fs.mkdir(path),
    syncDirectory: (path) => {
      meter.fsyncs += 1;
      return fs.syncDirectory(path);
    },
  };
}
