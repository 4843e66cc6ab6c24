import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LIB = new URL('../../../scripts/lib/', import.meta.url).pathname;

/**
 * What the shell line prints, trimmed, with the parts of scripts/lib loaded and the given programs (name: body of a bash script)
 * found before the machine's own. Throws when it fails.
 */
export function shell(
  parts: readonly string[],
  line: string,
  programs: Readonly<Record<string, string>>,
): string {
  const dir = mkdtempSync(join(tmpdir(), 'coxswain-shell-'));
  try {
    for (const [name, body] of Object.entries(programs)) {
      writeFileSync(join(dir, name), `#!/bin/bash\n${body}\n`);
      chmodSync(join(dir, name), 0o755);
    }
    const load = parts.map((part) => `. "${LIB}${part}.sh"`).join('; ');
    const env = { ...process.env, PATH: `${dir}:${process.env['PATH'] ?? ''}` };
    return execFileSync('bash', ['-c', `set -euo pipefail; ${load}; ${line}`], {
      encoding: 'utf8',
      env,
    }).trim();
  } finally {
    rmSync(dir, { recursive: true });
  }
}
