import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { AuditLog } from '../../../../hub/audit/audit-log.ts';
import { silentLogger } from '../../../../kit/logger.ts';
import { spec } from '../../../spec.ts';

const dir = mkdtempSync(join(tmpdir(), 'cox-audit-'));
const opened = (name: string, maxBytes: number): Promise<AuditLog> =>
  AuditLog.open({ path: join(dir, name), maxBytes, log: silentLogger });

spec(
  'AuditLog',
  (it) => {
    it('appends lines, over restarts', async () => {
      for (const n of [1, 2]) {
        const log = await opened('a', 1000);
        log.record({ n });
        await log.close();
        log.record({ n: 'late' });
      }
      assert.is(readFileSync(join(dir, 'a'), 'utf8'), '{"n":1}\n{"n":2}\n');
      assert.is(statSync(join(dir, 'a')).mode & 0o777, 0o600);
    });

    it('never takes more than its limit, whatever comes at once', async () => {
      const log = await opened('b', 1000);
      for (let n = 0; n < 500; n++) log.record({ n, text: 'x'.repeat(n % 50) });
      await log.close();
      const sizes = ['b', 'b.1'].map((name) => statSync(join(dir, name)).size);
      assert.ok(
        sizes.every((size) => size > 0 && size <= 500),
        sizes.join(' '),
      );
      const lines = readFileSync(join(dir, 'b'), 'utf8').trim().split('\n');
      assert.is((JSON.parse(lines.at(-1) ?? '') as { n: number }).n, 499, 'the newest are kept');
      assert.not(existsSync(join(dir, 'b.2')));
    });

    it('rejects where it cannot write', async () => {
      await opened('c', 1000).then((log) => log.close());
      await opened('c/d', 1000).then(
        () => assert.unreachable(),
        () => undefined,
      );
    });
  },
  { after: () => rmSync(dir, { recursive: true, force: true }) },
);
