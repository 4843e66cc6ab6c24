import { readFileSync } from 'node:fs';
import { parseRange } from '../protocol/ipv4.ts';
import { asText, flagOf } from './describe-config.ts';

/** One setting: `--flag VALUE`, or the environment variable, or the default. Names carry their unit. */
export interface Setting<T> {
  readonly help: string;
  readonly env?: string;
  readonly fallback: T;
  /** Text to value; throws an Error whose message completes "--flag: ". */
  readonly read: (text: string) => T;
  /** What the value is, for the help, e.g. `N`; absent for a switch, which takes none. */
  readonly takes?: string;
}

/** Settings by name; the flag of `apiPort` is `--api-port`. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The values of a settings table, frozen. */
export type Values<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

/** Where a value came from, for `--print-config`. */
export type Origin = 'flag' | 'environment' | 'file' | 'default';

/** A command line that cannot be followed; the message names the flag and what to do. */
export class ConfigError extends Error {
  readonly reason: 'UnknownFlag' | 'BadValue' | 'BadFile';
  constructor(reason: ConfigError['reason'], message: string) {
    super(message);
    this.name = 'ConfigError';
    this.reason = reason;
  }
}

/** The flag that every program has and no settings table holds. */
const CONFIG = 'config';

export const setting = {
  text: (help: string, fallback: string, env?: string): Setting<string> => ({
    help,
    takes: 'TEXT',
    fallback,
    read: (t) => t,
    ...withEnv(env),
  }),
  list: (help: string, fallback: readonly string[], env?: string): Setting<readonly string[]> => ({
    help,
    takes: 'A,B,...',
    fallback,
    read: (t) =>
      t
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    ...withEnv(env),
  }),
  whole: (help: string, fallback: number, min: number, max: number, env?: string): Setting<number> => ({
    help,
    takes: 'N',
    fallback,
    read: (t) => readWhole(t, min, max),
    ...withEnv(env),
  }),
  flag: (help: string, env?: string): Setting<boolean> => ({
    help,
    fallback: false,
    read: (t) => readBool(t),
    ...withEnv(env),
  }),
  /** An IPv4 range of at least four addresses, kept as text. */
  range: (help: string, fallback: string, env?: string): Setting<string> => ({
    help,
    takes: 'A.B.C.D/N',
    fallback,
    read: (t) => {
      if (parseRange(t) === undefined) throw new Error(`must be a range such as ${fallback}, not "${t}"`);
      return t;
    },
    ...withEnv(env),
  }),
  choice: <T extends string>(help: string, options: readonly T[], fallback: T, env?: string): Setting<T> => ({
    help: `${help}: ${options.join(', ')}`,
    takes: 'WORD',
    fallback,
    read: (t) => {
      const found = options.find((o) => o === t);
      if (found === undefined) throw new Error(`must be one of ${options.join(', ')}, not "${t}"`);
      return found;
    },
    ...withEnv(env),
  }),
};

/**
 * Reads a command line once: flags first, then the environment, then the JSON file named by `--config`, then the defaults.
 * Unknown flags and unknown keys of the file refuse. Throws ConfigError.
 */
export function readConfig<S extends Settings>(
  settings: S,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { values: Values<S>; origins: Readonly<Record<keyof S, Origin>> } {
  const flags = readFlags(settings, argv);
  const file = flags.get(CONFIG) === undefined ? {} : readFile(settings, String(flags.get(CONFIG)));
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [name, s] of Object.entries(settings)) {
    const envText = s.env === undefined ? undefined : env[s.env];
    const candidates: [Origin, string | undefined, string][] = [
      ['flag', flags.get(name), flagOf(name)],
      ['environment', envText === '' ? undefined : envText, s.env ?? ''],
      ['file', file[name] === undefined ? undefined : asText(file[name]), `key ${name}`],
    ];
    const found = candidates.find(([, text]) => text !== undefined);
    origins[name] = found?.[0] ?? 'default';
    values[name] = found === undefined ? s.fallback : readValue(s, found[1] ?? '', found[2]);
  }
  return {
    values: Object.freeze(values) as Values<S>,
    origins: Object.freeze(origins) as Record<keyof S, Origin>,
  };
}

function withEnv(env: string | undefined): { env?: string } {
  return env === undefined ? {} : { env };
}

function readFlags(settings: Settings, argv: readonly string[]): Map<string, string> {
  const byFlag = new Map([
    ['--config', CONFIG],
    ...Object.keys(settings).map((name): [string, string] => [flagOf(name), name]),
  ]);
  const found = new Map<string, string>();
  for (let i = 0; i < argv.length; i++) {
    const [flag = '', inline] = splitFlag(argv[i] ?? '');
    const name = byFlag.get(flag);
    if (name === undefined)
      throw new ConfigError('UnknownFlag', `unknown flag ${flag}; --help lists all flags`);
    if (name !== CONFIG && settings[name]?.takes === undefined) {
      found.set(name, inline ?? 'true');
      continue;
    }
    const value = inline ?? argv[++i];
    if (value === undefined) throw new ConfigError('BadValue', `${flag}: needs a value`);
    found.set(name, value);
  }
  return found;
}

function splitFlag(arg: string): [string, string?] {
  const at = arg.indexOf('=');
  return at < 0 ? [arg] : [arg.slice(0, at), arg.slice(at + 1)];
}

function readFile(settings: Settings, path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(
      'BadFile',
      `--config ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new ConfigError('BadFile', `--config ${path}: must hold one JSON object`);
  }
  for (const key of Object.keys(parsed)) {
    if (!Object.hasOwn(settings, key))
      throw new ConfigError('BadFile', `--config ${path}: unknown key "${key}"`);
  }
  return parsed as Record<string, unknown>;
}

function readValue(s: Setting<unknown>, raw: string, where: string): unknown {
  try {
    return s.read(raw);
  } catch (error) {
    throw new ConfigError('BadValue', `${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readWhole(raw: string, min: number, max: number): number {
  const value = Number(raw);
  if (!Number.isInteger(value) || raw.trim() === '' || value < min || value > max) {
    throw new Error(`must be a whole number from ${min} to ${max}, not "${raw}"`);
  }
  return value;
}

function readBool(raw: string): boolean {
  if (raw === 'true' || raw === '1') return true;
  if (raw === 'false' || raw === '0') return false;
  throw new Error(`must be true or false, not "${raw}"`);
}
