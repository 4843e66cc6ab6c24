import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The command line as it is developed, for tsx; the only form that finds hub and agent beside it without a build. */
export const CLI_SOURCE: string = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
/** Packages in CommonJS still call require for Node's own modules. */
const REQUIRE = "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);";

/**
 * Bundles the command line into `folder` and gives the file to run with node. Loading one file takes a tenth of what the sources
 * take through tsx, and tests start the command dozens of times.
 */
export async function bundleCli(folder: string): Promise<string> {
  const outfile = join(folder, 'cox.js');
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  await build({
    entryPoints: [CLI_SOURCE],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    banner: { js: REQUIRE },
    logLevel: 'warning',
  });
  return outfile;
}
