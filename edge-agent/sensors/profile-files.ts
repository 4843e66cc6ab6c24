import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ProfileFile, readProfile } from '../decide/profile.ts';

/** Content of profiles/nodes by name, put there by scripts/build.ts; absent in development. */
declare const __COXSWAIN_NODE_PROFILES__: Readonly<Record<string, unknown>> | undefined;

/**
 * The profiles that come with Coxswain, and those of `chosen` that are paths of YAML files. Gives the names to choose by:
 * a file's is its name without the ending. Throws ProfileError, or the file system's error for a path that cannot be read.
 */
export async function loadProfiles(
  chosen: readonly string[],
): Promise<{ files: ProfileFile[]; names: string[] }> {
  const paths = chosen.filter(isPath);
  const builtIn = typeof __COXSWAIN_NODE_PROFILES__ === 'undefined' ? undefined : __COXSWAIN_NODE_PROFILES__;
  const files =
    builtIn === undefined
      ? await readYamlFiles(developmentFiles())
      : Object.entries(builtIn).map(([name, raw]) => readProfile(name, raw));
  return {
    files: [...(await readYamlFiles(paths)), ...files],
    names: chosen.map((name) => (isPath(name) ? nameOf(name) : name)),
  };
}

function isPath(name: string): boolean {
  return name.includes('/') || /\.ya?ml$/.test(name);
}

function nameOf(path: string): string {
  return basename(path).replace(/\.ya?ml$/, '');
}

function developmentFiles(): string[] {
  const dir = fileURLToPath(new URL('../../profiles/nodes', import.meta.url));
  return readdirSync(dir)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(dir, name));
}

async function readYamlFiles(paths: readonly string[]): Promise<ProfileFile[]> {
  if (paths.length === 0) return [];
  const { fromYaml } = await import('../../kit/yaml.ts');
  return paths.map((path) => readProfile(nameOf(path), fromYaml(readFileSync(path, 'utf8'))));
}
