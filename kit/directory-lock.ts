import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, isDiskFull } from './durable-error.ts';
import type { Logger } from './logger.ts';

/** Another living process holds the directory; `holderPid` is what it wrote down, 0 when that cannot be read. */
export class DirectoryInUseError extends Error {
  readonly reason = 'InUse';
  readonly holderPid: number;

  constructor(path: string, program: string, holderPid: number) {
    const who = holderPid > 0 ? ` (pid ${holderPid})` : '';
    super(`another ${program}${who} is using ${path}: stop it first, or choose another --data-dir`);
    this.name = 'DirectoryInUseError';
    this.holderPid = holderPid;
  }
}

/** Exit code of flock when somebody else holds the lock. */
const FLOCK_HELD = 1;
/** Where the flock command finds the file that it inherits. */
const INHERITED_FD = 3;

/**
 * A directory of which this process is the only user, until `release` or until it ends, however it ends: the kernel holds the lock
 * (flock on the file `lock`), so kill -9 leaves nothing behind, and other network or mount namespaces see it too.
 */
export class DirectoryLock {
  /** A bare descriptor: a FileHandle would be closed, and the lock lost, when it is collected as garbage. */
  #fd: number | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Takes the lock at once, making the directory when it is missing; `program` is for people. Where the machine has no flock command
   * it warns and goes on. Rejects with DirectoryInUseError, or the system call's error.
   */
  static async take(path: string, program: string, log: Logger): Promise<DirectoryLock> {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const fd = openSync(join(path, 'lock'), 'a+', 0o600);
    try {
      if (!(await lockInherited(fd, log))) throw new DirectoryInUseError(path, program, noted(fd));
      note(fd);
      return new DirectoryLock(fd);
    } catch (err) {
      closeSync(fd);
      throw err;
    }
  }

  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/**
 * Node has no flock call. The command locks the open file it inherits from us; that lock is the open file's, so it stays ours when the
 * command has ended. False when somebody else holds it.
 */
async function lockInherited(fd: number, log: Logger): Promise<boolean> {
  const child = spawn('flock', ['-x', '-n', String(INHERITED_FD)], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  });
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (code === 0) return true;
    if (code === FLOCK_HELD) return false;
    throw new Error(`the flock command ended with ${code ?? signal}`);
  } catch (err) {
    if (errorCode(err) !== 'ENOENT') throw err;
    log.warn('no flock command: nothing keeps a second process from the data directory', { err });
    return true;
  }
}

/** The number is only for the message of a second process: a full disk must not stop the first. */
function note(fd: number): void {
  try {
    ftruncateSync(fd, 0);
    writeSync(fd, String(process.pid));
  } catch (err) {
    if (!isDiskFull(err)) throw err;
  }
}

function noted(fd: number): number {
  const text = Buffer.alloc(20);
  const pid = Number(text.toString('latin1', 0, readSync(fd, text, 0, text.length, 0)));
  return Number.isSafeInteger(pid) ? pid : 0;
}
