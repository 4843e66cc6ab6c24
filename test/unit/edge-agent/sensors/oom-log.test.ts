import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { OomLog } from '../../../../edge-agent/sensors/oom-log.ts';
import { type Logger, silentLogger } from '../../../../kit/logger.ts';
import { spec } from '../../../spec.ts';

const A = 'a0c02a2d'.repeat(8);
const B = '0badcafe'.repeat(8);
const idOf = (n: number): string => n.toString(16).padStart(64, '0');
const record = (id: string): string =>
  `6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/docker/${id},task_memcg=/docker/${id},task=sh,pid=1,uid=0\n`;

function inFolder(run: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'cox-oom-'));
  try {
    run(join(folder, 'kmsg'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

spec('OomLog', (it) => {
  it('knows what was there before it, and what comes after', () =>
    inFolder((path) => {
      writeFileSync(path, `5,0,0,-;Linux version 6.1\n${record(A)} SUBSYSTEM=cpu\n`);
      const log = new OomLog(silentLogger, path);
      assert.equal([log.names(A), log.names(B)], [true, false]);
      appendFileSync(path, record(B));
      assert.equal([log.names(A), log.names(B)], [true, true]);
    }));

  it('forgets the oldest of very many', () =>
    inFolder((path) => {
      writeFileSync(path, '');
      const log = new OomLog(silentLogger, path);
      for (let n = 0; n < 1010; n++) {
        writeFileSync(path, record(idOf(n)), { flag: 'a' });
        assert.ok(log.names(idOf(n)));
      }
      assert.equal([log.names(idOf(0)), log.names(idOf(9)), log.names(idOf(10))], [false, false, true]);
    }));

  it('says once that it may not read, and then knows of nothing', () =>
    inFolder((path) => {
      const said: string[] = [];
      const listening: Logger = { ...silentLogger, info: (text) => said.push(text) };
      const log = new OomLog(listening, path);
      assert.equal([log.names(A), log.names(A)], [false, false]);
      writeFileSync(path, record(A));
      assert.is(log.names(A), false);
      assert.is(said.length, 1);
    }));
});
