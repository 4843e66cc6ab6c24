import { join } from 'node:path';
import type { Clock } from '../kit/clock.ts';
import { DirectoryLock } from '../kit/directory-lock.ts';
import { DurableMap } from '../kit/durable-map.ts';
import type { Logger } from '../kit/logger.ts';
import { kinds } from '../protocol/kinds/index.ts';
import { createAdmission } from './admission.ts';
import { ADMIT_DEFAULTS } from './decide/admit-pod.ts';
import { type Authority, openAuthority } from './pki/authority.ts';
import { randomSuffix, systemIds } from './store/ids.ts';
import { Store } from './store/store.ts';

/** Where state lies and what the hub adds to it; see hubSettings. */
export interface StateOptions {
  readonly dataDir: string;
  /** Names and addresses for the server's certificate. */
  readonly hosts: readonly string[];
  readonly tolerationSeconds: number;
  /** IPv4 range of Services' addresses. */
  readonly serviceCidr: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Everything that outlives the process. `close` settles the writes handed in and lets another hub have the directory. */
export interface State {
  readonly authority: Authority;
  readonly map: DurableMap;
  readonly store: Store;
  close(): Promise<void>;
}

const STORE_SHARDS = 16;

/** Takes the data directory for this process alone and reads keys and objects. Rejects, with the directory free again, when it cannot. */
export async function openState(options: StateOptions): Promise<State> {
  const { dataDir, hosts, tolerationSeconds, serviceCidr, clock, log } = options;
  const lock = await DirectoryLock.take(dataDir, 'hub', log);
  try {
    const authority = await openAuthority(join(dataDir, 'pki'), {
      hosts,
      clock,
      log: log.with({ room: 'pki' }),
    });
    const room = log.with({ room: 'store' });
    const { map, entries } = await DurableMap.open(join(dataDir, 'store'), {
      shards: STORE_SHARDS,
      log: room,
    });
    const defaults = { ...ADMIT_DEFAULTS, unreachableSeconds: tolerationSeconds };
    const admission = createAdmission(
      defaults,
      serviceCidr,
      () => clock.nowMs(),
      () => randomSuffix(systemIds),
    );
    const store = await Store.open({ kinds, map, entries, clock, log: room, admission });
    const close = async (): Promise<void> => {
      await store.close();
      lock.release();
    };
    return { authority, map, store, close };
  } catch (error) {
    lock.release();
    throw error;
  }
}
