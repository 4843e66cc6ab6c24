/** The real store in a directory, and the neighbouring rooms' decoders, put together as the hub's main does. */
import { join } from 'node:path';
import type { CodecPort, OpenApiPort, StorePort } from '../../hub/api/ports.ts';
import type { ClusterView } from '../../hub/cluster.ts';
import { CustomResources } from '../../hub/controllers/custom-resources.ts';
import { EventRecorder } from '../../hub/events/event-recorder.ts';
import type { LoopDeps } from '../../hub/loop.ts';
import { applyJsonPatch } from '../../hub/patch/json-patch.ts';
import { decodeProtobuf } from '../../hub/protobuf/decode.ts';
import { OpenApiStore } from '../../hub/schema/openapi-store.ts';
import { Store } from '../../hub/store/store.ts';
import { systemClock } from '../../kit/clock.ts';
import { DurableMap } from '../../kit/durable-map.ts';
import type { Logger } from '../../kit/logger.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import type { KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';

export interface TestStore {
  readonly port: StorePort;
  /** What a controller of the hub is built from, for tests that need one. */
  readonly deps: LoopDeps;
  readonly codec: CodecPort;
  readonly openApi: OpenApiPort;
  /** Kinds of custom resource definitions. */
  readonly customKinds: () => readonly KindSpec[];
  /** Watches that are open now. */
  watchers(): number;
  /** Creates an object, then its status when it has one. */
  put(object: object): Promise<KubeObject>;
  close(): Promise<void>;
}

/** Opens a store below `dir`. */
export async function openTestStore(dir: string, log: Logger): Promise<TestStore> {
  const { map, entries } = await DurableMap.open(dir, { shards: 4, log });
  const store = await Store.open({ kinds, map, entries, clock: systemClock, log });
  const view: ClusterView = store;
  const events = new EventRecorder({ client: store, clock: systemClock, log, component: 'test' });
  const deps: LoopDeps = { view, client: store, clock: systemClock, log, events };
  const custom = new CustomResources(deps, store, kinds);
  custom.start(new AbortController().signal);
  let served: readonly KindSpec[] = [];
  let all: readonly KindSpec[] = kinds;
  const allKinds = (): readonly KindSpec[] => {
    if (served !== custom.served()) {
      served = custom.served();
      all = [...kinds, ...served];
    }
    return all;
  };
  let watchers = 0;
  const watch = store.watch.bind(store);
  store.watch = (kind, from, listener) => {
    const stop = watch(kind, from, listener);
    watchers++;
    return () => {
      watchers--;
      stop();
    };
  };
  return {
    port: store,
    deps,
    watchers: () => watchers,
    codec: { decodeProtobuf, applyJsonPatch },
    openApi: new OpenApiStore(allKinds, join(dir, 'schema')),
    customKinds: () => custom.served(),
    put: async (given) => {
      const object = given as KubeObject & { status?: object };
      const created = await store.createObject(object.kind, object);
      if (object.status === undefined) return created;
      return store.updateStatusObject(object.kind, { ...created, status: object.status } as KubeObject);
    },
    close: async () => {
      await custom.stop();
      await events.stop();
      await store.close();
    },
  };
}
