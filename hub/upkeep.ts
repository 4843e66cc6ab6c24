import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { ApiServer, TlsMaterial } from './api/server.ts';
import type { EmbeddedBroker } from './broker/embedded.ts';
import type { Authority } from './pki/authority.ts';
import { removeExpiredTokens } from './pki/tokens.ts';
import type { Store } from './store/store.ts';

/** What is looked after, and with what. */
export interface UpkeepOptions {
  readonly authority: Authority;
  /** Absent when devices come over a broker of somebody else. */
  readonly broker: EmbeddedBroker | undefined;
  readonly api: ApiServer;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

const UPKEEP_MS = 3_600_000;

/**
 * Once an hour: certificates near their end are renewed, expired tokens removed. Nothing is written when nothing is due. Returns the
 * way to stop.
 */
export function startUpkeep(options: UpkeepOptions): () => void {
  const { authority, broker, api, store, clock, log } = options;
  const round = async (): Promise<void> => {
    try {
      if (await authority.refreshServer()) {
        broker?.reloadTls();
        api.renew(tlsOf(authority));
      }
      await removeExpiredTokens({ view: store, client: store, clock });
    } catch (err) {
      // The next round tries again; certificates are renewed a third of their life ahead.
      log.warn('upkeep failed', { err });
    }
    timer = clock.after(UPKEEP_MS, () => void round());
  };
  let timer = clock.after(UPKEEP_MS, () => void round());
  return () => timer.cancel();
}

/** The server's certificate as the API server takes it. */
export function tlsOf(authority: Authority): TlsMaterial {
  return { key: authority.serverKeyPem, cert: authority.serverCertPem, ca: authority.caPem };
}
