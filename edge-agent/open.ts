import { arch } from 'node:os';
import { join } from 'node:path';
import { lifeOf } from '../kit/certificates.ts';
import { systemClock } from '../kit/clock.ts';
import { DirectoryLock } from '../kit/directory-lock.ts';
import type { Logger } from '../kit/logger.ts';
import { DesiredCache, type OpenedCache } from './cache/desired-cache.ts';
import { FlooredClock, readNotedTime } from './cache/floored-clock.ts';
import { chooseProfile, type Profile } from './decide/profile.ts';
import { readIdentity } from './link/identity.ts';
import type { IdentityResult } from './link/link.ts';
import { readBoard } from './sensors/facts.ts';
import { MachineFiles } from './sensors/machine-files.ts';
import { loadProfiles } from './sensors/profile-files.ts';

/** Settings of an agent, as `config.ts` reads them. */
export interface AgentOptions {
  readonly dataDir: string;
  readonly runDir: string;
  readonly dockerSocket: string;
  readonly profile: readonly string[];
  readonly network: string;
  readonly bridge: string;
  readonly diskPath: string;
  readonly offline: boolean;
  readonly log: Logger;
  /** Command that prints the inventory as JSON. */
  readonly inventoryCommand: readonly [string, ...string[]];
}

/** What is read before anything is started. */
export interface Opened {
  /** Keeps a second agent from the data directory. */
  readonly lock: Pick<DirectoryLock, 'release'>;
  readonly identity: IdentityResult;
  readonly cache: OpenedCache;
  /** Never below the last time the device has known. */
  readonly clock: FlooredClock;
  readonly profile: Profile;
}

/** The device has no identity and nothing to run: people must join it first. */
export class NotJoinedError extends Error {
  readonly reason = 'NotJoined';
}

/**
 * Takes the data directory and reads cache, identity and profile; starts nothing and opens no socket. Throws NotJoinedError,
 * ProfileError, DirectoryInUseError.
 */
export async function openState(options: AgentOptions): Promise<Opened> {
  const lock = await DirectoryLock.take(options.dataDir, 'agent', options.log);
  const clock = new FlooredClock(systemClock);
  clock.raise(await readNotedTime(join(options.dataDir, 'clock')));
  const cache = await DesiredCache.open(join(options.dataDir, 'cache'), {
    log: options.log.with({ room: 'cache' }),
    nowMs: () => clock.nowMs(),
  });
  clock.raise(cache.lastKnownMs);
  const identity = await readIdentity(options.dataDir);
  if (identity.ok) clock.raise(lifeBegin(identity.identity.certificate));
  if (!identity.ok && cache.content === 'empty' && !options.offline) throw new NotJoinedError(identity.why);
  const { files, names } = await loadProfiles(options.profile);
  const profile = chooseProfile(files, readBoard(new MachineFiles(), arch()), names);
  return { lock, identity, cache, clock, profile };
}

function lifeBegin(certificate: string): number {
  try {
    return lifeOf(certificate).notBeforeMs;
  } catch {
    return 0; // Torn: the link says so when it connects.
  }
}
