import { join } from 'node:path';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { AuditLog } from './audit/audit-log.ts';
import { EmbeddedBroker } from './broker/embedded.ts';
import { HubLink } from './broker/hub-link.ts';
import { Refusals } from './broker/refusals.ts';
import { openPeople, type People } from './people.ts';
import type { Authority } from './pki/authority.ts';
import { openState, type State } from './state.ts';

/** What the ground is made from; see hubSettings for the meaning of each. */
export interface GroundOptions {
  readonly dataDir: string;
  readonly bind: string;
  readonly mqttPort: number;
  /** Empty for the embedded broker. */
  readonly broker: string;
  readonly serviceCidr: string;
  readonly tolerationSeconds: number;
  /** File that requests are noted in; empty for none. */
  readonly auditLog: string;
  readonly auditLogMaxMib: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What all rooms of a hub stand on: state and keys, who people are, the broker and the hub's own line to it, not yet begun. */
export interface Ground extends Pick<State, 'authority' | 'map' | 'store'> {
  readonly people: People;
  readonly refusals: Refusals;
  /** Undefined where the hub uses a broker of somebody else's. */
  readonly broker: EmbeddedBroker | undefined;
  readonly link: HubLink;
  readonly audit: AuditLog | undefined;
}

/**
 * Opens the ground for a hub that others reach at `hosts`. Every part hands its end to `onStop`, to be called in reverse order, also when
 * this rejects because a later part cannot be opened.
 */
export async function openGround(
  options: GroundOptions,
  hosts: readonly string[],
  onStop: (stop: () => Promise<void> | void) => void,
): Promise<Ground> {
  const { dataDir, clock, log } = options;
  const state = await openState({ ...options, hosts });
  onStop(() => state.close());
  const { authority, map, store } = state;
  const people = await openPeople({ store, authority, pkiDir: join(dataDir, 'pki'), clock, log });
  onStop(() => people.stop());
  const audit = await openAuditLog(options);
  if (audit !== undefined) onStop(() => audit.close());
  const refusals = new Refusals(clock, log.with({ room: 'broker' }));
  const broker = await openBroker(options, authority, refusals);
  if (broker !== undefined) onStop(() => broker.stop());
  const link = new HubLink({
    broker: broker === undefined ? { url: options.broker } : { inProcess: () => broker.connectInProcess() },
    clientId: 'coxswain-hub',
    clock,
    log: log.with({ room: 'broker' }),
    refusals,
  });
  return { authority, map, store, people, refusals, broker, link, audit };
}

async function openAuditLog({
  auditLog: path,
  auditLogMaxMib,
  log,
}: GroundOptions): Promise<AuditLog | undefined> {
  if (path === '') return undefined;
  const maxBytes = auditLogMaxMib * 1024 * 1024;
  return AuditLog.open({ path, maxBytes, log: log.with({ room: 'audit' }) });
}

async function openBroker(
  { broker: url, bind, mqttPort, clock, log }: GroundOptions,
  authority: Authority,
  refusals: Refusals,
): Promise<EmbeddedBroker | undefined> {
  if (url !== '') return undefined;
  const broker = new EmbeddedBroker({
    trust: authority,
    host: bind,
    port: mqttPort,
    clock,
    log: log.with({ room: 'broker' }),
    refusals,
  });
  await broker.start();
  return broker;
}
