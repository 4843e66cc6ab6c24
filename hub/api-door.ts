import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { kinds } from '../protocol/kinds/index.ts';
import { ApiServer } from './api/server.ts';
import { allKinds } from './control-loops.ts';
import type { Ground } from './ground.ts';
import { telemetryPort } from './live-source.ts';
import { nodeMetrics, refusedMetrics, storeMetrics } from './metrics.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { joinRoutes } from './pki/join-routes.ts';
import { decodeProtobuf } from './protobuf/decode.ts';
import type { Rooms } from './rooms.ts';
import { OpenApiStore } from './schema/openapi-store.ts';
import type { TurnMeter } from './turn-meter.ts';
import { tlsOf } from './upkeep.ts';

/** What the API is told by the hub's settings. */
export interface ApiDoorOptions {
  readonly bind: string;
  readonly apiPort: number;
  /** Folder of the API descriptions that the build made. */
  readonly schemaDir: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where devices and people find the hub, as they are told when they join. */
export type HubPlaces = () => { readonly mqtt: string[]; readonly api: string[] };

/** The API over ground and rooms, not yet listening. */
export function makeApiDoor(
  { bind, apiPort, schemaDir, clock, log }: ApiDoorOptions,
  { authority, map, store, people, refusals, audit }: Ground,
  { telemetry, fleet, custom }: Rooms,
  turns: TurnMeter,
  places: HubPlaces,
): ApiServer {
  const joining = { authority, view: store, client: store, clock, log: log.with({ room: 'pki' }) };
  return new ApiServer({
    tls: tlsOf(authority),
    addresses: [bind],
    port: apiPort,
    kinds,
    customKinds: () => custom.served(),
    store,
    codec: { decodeProtobuf, applyJsonPatch },
    openApi: new OpenApiStore(
      allKinds(() => custom.served()),
      schemaDir,
    ),
    streams: {
      open: async (pod, request, { onData, onEnd, onClose }) =>
        fleet.streams.open(pod, request, { onData, onEnd: (channel) => onEnd?.(channel), onClose }),
    },
    telemetry: telemetryPort(telemetry, store),
    ...people.ports,
    extraRoutes: [
      ...joinRoutes({ ...joining, addresses: places }),
      ...people.routes(() => places().api[0] ?? ''),
    ],
    ...(audit === undefined ? {} : { audit: (event) => audit.record(event) }),
    metrics: () => [
      ...nodeMetrics(store.list('Node'), telemetry),
      ...refusedMetrics(refusals),
      ...storeMetrics(map),
      ...turns.metrics(),
    ],
    log: log.with({ room: 'api' }),
    clock,
  });
}
