import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { DirectoryInUseError, DirectoryLock } from '../../kit/directory-lock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { spec } from '../spec.ts';

const MODULE = fileURLToPath(new URL('../../kit/directory-lock.ts', import.meta.url));
const LOGGER = fileURLToPath(new URL('../../kit/logger.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'lock-'));

const take = (path = directory): Promise<DirectoryLock> => DirectoryLock.take(path, 'hub', silentLogger);

/** Why the lock was refused; undefined when it was given (and given back). */
async function refusal(): Promise<DirectoryInUseError | undefined> {
  try {
    (await take()).release();
    return undefined;
  } catch (err) {
    if (err instanceof DirectoryInUseError) return err;
    throw err;
  }
}

spec(
  'the lock of a data directory',
  (it) => {
    it('is held by one at a time, and names the holder', async () => {
      const lock = await take();
      const error = await refusal();
      assert.is(error?.reason, 'InUse');
      assert.is(error?.holderPid, process.pid);
      assert.is(
        error?.message,
        `another hub (pid ${process.pid}) is using ${directory}: stop it first, or choose another --data-dir`,
      );
      lock.release();
      assert.is(await refusal(), undefined);
    });

    it('is let go by kill -9, though the children of the holder live on', async () => {
      const program = `
        import { DirectoryLock } from ${JSON.stringify(MODULE)};
        import { silentLogger } from ${JSON.stringify(LOGGER)};
        import { spawn } from 'node:child_process';
        globalThis.held = await DirectoryLock.take(${JSON.stringify(directory)}, 'hub', silentLogger);
        const child = spawn('sleep', ['30'], { stdio: 'ignore' });
        process.stdout.write(child.pid + '\\n');
        setInterval(() => undefined, 1000);`;
      const args = ['--import', 'tsx', '--input-type=module', '-e', program];
      const holder = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const [printed] = (await once(holder.stdout, 'data')) as [Buffer];
      const grandchild = Number(printed.toString());
      try {
        assert.is((await refusal())?.holderPid, holder.pid);
        const ended = once(holder, 'exit');
        holder.kill('SIGKILL');
        await ended;
        assert.is(await refusal(), undefined);
      } finally {
        process.kill(grandchild, 'SIGKILL');
      }
    });

    it('makes the directory, for its owner only', async () => {
      const path = join(directory, 'a/b');
      const lock = await take(path);
      assert.is(readFileSync(join(path, 'lock'), 'utf8'), String(process.pid));
      lock.release();
    });
  },
  { after: () => rmSync(directory, { recursive: true, force: true }) },
);
