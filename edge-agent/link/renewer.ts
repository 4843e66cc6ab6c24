import { isDueForRenewal } from '../../kit/certificates.ts';
import type { Clock } from '../../kit/clock.ts';
import { buildNodeCsr, NODE_CERTIFICATE_DAYS } from '../../kit/csr.ts';
import { sendHttps } from '../../kit/https.ts';
import type { Logger } from '../../kit/logger.ts';
import { decodeJoinResponse, JOIN_PATHS, type JoinResponse } from '../../protocol/wire/identity.ts';
import { type Identity, storeRenewal } from './identity.ts';

/** A hub that refuses is asked no more often than this. */
const RETRY_MS = 3_600_000;
const ANSWER_MS = 15_000;

/** Asks a hub for a new certificate with the old one; replaceable in tests. Rejects when it does not give one. */
export type AskRenewal = (
  identity: Identity,
  address: string,
  csr: string,
  nowMs: number,
) => Promise<JoinResponse>;

/**
 * Renews the device's certificate at two thirds of its life. An expired one renews as well: the hub takes it as proof of the
 * key. The key stays. Without a clock battery the device may not know that its certificate is over, so being refused is
 * a reason to ask, too.
 */
export class Renewer {
  readonly #dataDir: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ask: AskRenewal;
  #triedMs: number | undefined;

  constructor(dataDir: string, clock: Clock, log: Logger, ask: AskRenewal = askRenewal) {
    this.#dataDir = dataDir;
    this.#clock = clock;
    this.#log = log;
    this.#ask = ask;
  }

  /**
   * Renews when it is time, or when `wasRefused`; at most once an hour. Resolves to true when a new certificate has been stored.
   * Never rejects: a device goes on with the certificate it has.
   */
  async renewIfDue(identity: Identity, wasRefused = false): Promise<boolean> {
    const isDue = isDueForRenewal(identity.certificate, NODE_CERTIFICATE_DAYS, this.#clock.nowMs());
    if (!isDue && !wasRefused) return false;
    const nowMs = this.#clock.monotonicMs();
    if (this.#triedMs !== undefined && nowMs - this.#triedMs < RETRY_MS) return false;
    this.#triedMs = nowMs;
    try {
      await this.#renew(identity);
      return true;
    } catch (err) {
      this.#log.warn('certificate not renewed, trying again later', { retryMs: RETRY_MS, err });
      return false;
    }
  }

  async #renew(identity: Identity): Promise<void> {
    const csr = buildNodeCsr(identity.key, identity.nodeName);
    let lastError: unknown = new Error('hub.json names no API address');
    for (const address of identity.api) {
      try {
        const answer = await this.#ask(identity, address, csr, this.#clock.nowMs());
        await storeRenewal(this.#dataDir, identity, answer);
        this.#log.info('certificate renewed', { address });
        return;
      } catch (error) {
        lastError = error; // The next address may answer.
      }
    }
    throw lastError;
  }
}

/** One POST, the old certificate as client certificate; the hub is proved by the pinned CA. */
const askRenewal: AskRenewal = async (identity, address, csr, nowMs) => {
  const base = address.includes('://') ? address : `https://${address}`;
  const { code, body } = await sendHttps({
    url: new URL(JOIN_PATHS.renew, base).href,
    method: 'POST',
    trust: { pinned: identity.ca },
    identity: { certPem: identity.certificate, keyPem: identity.key },
    body: JSON.stringify({ csr }),
    timeoutMs: ANSWER_MS,
    nowMs,
  });
  if (code !== 200) throw new Error(`the hub answered ${code}: ${body.slice(0, 300)}`);
  const decoded = decodeJoinResponse(JSON.parse(body));
  if (!decoded.ok) throw new Error(`the hub's answer is not as it should be: ${decoded.why}`);
  if (decoded.value.cluster !== identity.cluster) throw new Error('the answer is of another cluster');
  return decoded.value;
};
