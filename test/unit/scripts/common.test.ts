import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { spec } from '../../spec.ts';
import { shell } from './shell.ts';

const COMMON = new URL('../../../scripts/lib/common.sh', import.meta.url).pathname;

/** What `apparmor_tool` prints on a kernel whose switch reads so; undefined is a kernel without AppArmor. */
function apparmorTool(kernelSwitch: string | undefined): string {
  const dir = mkdtempSync(join(tmpdir(), 'coxswain-common-'));
  try {
    const file = join(dir, 'enabled');
    if (kernelSwitch !== undefined) writeFileSync(file, kernelSwitch);
    const script = 'set -euo pipefail; . "$1"; apparmor_tool';
    const env = { ...process.env, APPARMOR_ENABLED: file };
    return execFileSync('bash', ['-c', script, 'bash', COMMON], { encoding: 'utf8', env }).trim();
  } finally {
    rmSync(dir, { recursive: true });
  }
}

spec('apparmor_tool', (it) => {
  const cases = [
    ['is needed where the kernel has AppArmor on', 'Y\n', 'apparmor_parser:apparmor'],
    ['is not needed where it is off', 'N\n', ''],
    ['is not needed where the kernel has none', undefined, ''],
  ] as const;
  for (const [name, kernelSwitch, tool] of cases) it(name, () => assert.is(apparmorTool(kernelSwitch), tool));
});

spec('need_root', (it) => {
  it('gives root its own home, so that its caches do not land in the one of the user', () => {
    const programs = { id: 'echo 1000', sudo: 'shift; exec "$@"' }; // keeps the environment, as it is asked to
    const line = `HOME=/home/ann need_root -c 'echo "$HOME"'`; // the script that is run again is this bash
    assert.is(shell(['common'], line, programs), '/root');
  });
});
