import { join } from 'node:path';
import type { Clock } from '../kit/clock.ts';
import { DirectoryLock } from '../kit/directory-lock.ts';
import { DurableMap } from '../kit/durable-map.ts';
import type { Logger } from '../kit/logger.ts';
import type { Namespace } from '../protocol/kinds/core.ts';
import { kinds } from '../protocol/kinds/index.ts';
import type { KubeObject } from '../protocol/kinds/meta.ts';
import type { Pod } from '../protocol/kinds/pod.ts';
import { ADMIT_DEFAULTS, admitPod } from './decide/admit-pod.ts';
import { admitStorage } from './decide/volumes/admit-storage.ts';
import { type Authority, openAuthority } from './pki/authority.ts';
import { Store } from './store/store.ts';
import type { NewestObject } from './store/store-options.ts';

/** Where state lies and what the hub adds to it; see hubSettings. */
export interface StateOptions {
  readonly dataDir: string;
  /** Names and addresses for the server's certificate. */
  readonly hosts: readonly string[];
  readonly tolerationSeconds: number;
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
  const { dataDir, hosts, tolerationSeconds, clock, log } = options;
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
    const admit = (object: KubeObject, newest: NewestObject): void => {
      admitted(object, newest, tolerationSeconds);
      admitStorage(object, () => store.list('StorageClass'));
    };
    const store: Store = await Store.open({ kinds, map, entries, clock, log: room, admit });
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

/** Every pod, whoever makes it, gets the tolerations of its namespace or of the hub. */
function admitted(object: KubeObject, newest: NewestObject, unreachableSeconds: number): void {
  if (object.kind !== 'Pod' || object.apiVersion !== 'v1') return;
  const namespace = newest('Namespace', '', object.metadata.namespace ?? '');
  admitPod(object as Pod, namespace as Namespace | undefined, { ...ADMIT_DEFAULTS, unreachableSeconds });
}
