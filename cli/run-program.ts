import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CliError } from './cli-error.ts';

/** The programs that live beside this one. */
export type Program = 'hub' | 'agent';

const SOURCES: Record<Program, string> = { hub: '../hub/main.ts', agent: '../edge-agent/main.ts' };

/**
 * Becomes the hub or the agent: loads its bundle from beside this one (its source in development) with the given arguments. The
 * path is computed, because the programs share no code at load time. Throws CliError when it is not installed.
 */
export async function runProgram(program: Program, args: readonly string[]): Promise<void> {
  const isBundled = import.meta.url.endsWith('.js');
  const target = new URL(isBundled ? `./${program}.js` : SOURCES[program], import.meta.url);
  const path = fileURLToPath(target);
  if (!existsSync(path))
    throw new CliError(`${path} is missing; install Coxswain again or run: npm run build`);
  process.argv = [process.argv[0] ?? 'node', path, ...args];
  await import(target.href);
}
