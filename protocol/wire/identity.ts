/** What a device and a hub say over HTTPS when the device joins or renews, and what the device keeps of it. */
import { arrayOf, type Check, type Decoded, nonEmpty, object, optional, text } from './shape.ts';

/** Paths below the API's address. */
export const JOIN_PATHS = {
  /** Anonymous: CaResponse. */
  ca: '/coxswain/v1/ca',
  /** Bearer token; JoinRequest, answered by JoinResponse. */
  join: '/coxswain/v1/join',
  /** A client certificate of the cluster, expired or not; RenewRequest, answered by JoinResponse. */
  renew: '/coxswain/v1/renew',
  /** Any authenticated user: JoinInfo. */
  info: '/coxswain/v1/join-info',
} as const;

export interface CaResponse {
  /** The CA's certificate, PEM; worth nothing before its hash is compared. */
  readonly ca: string;
}

export interface JoinRequest {
  readonly nodeName: string;
  /** PKCS#10, PEM. */
  readonly csr: string;
  /** `"yes"` takes over the name of a node that is alive. */
  readonly replace?: string;
}

export interface RenewRequest {
  readonly csr: string;
}

/** A device's new certificate and where it belongs; all certificates PEM. */
export interface JoinResponse {
  readonly certificate: string;
  readonly ca: string;
  readonly cluster: string;
  readonly mqtt: readonly string[];
  readonly api: readonly string[];
}

/** What `cox token create` needs to print a join line. */
export interface JoinInfo {
  readonly cluster: string;
  readonly caHash: string;
  readonly mqtt: readonly string[];
  readonly api: readonly string[];
}

/** `identity/hub.json` of a device: the cluster it belongs to, its own name, where the hub listens. */
export interface HubFile {
  readonly cluster: string;
  readonly nodeName: string;
  readonly api: readonly string[];
  readonly mqtt: readonly string[];
}

const caResponse = object({ ca: nonEmpty });
const joinRequest = object({ nodeName: nonEmpty, csr: nonEmpty, replace: optional(text) });
const renewRequest = object({ csr: nonEmpty });
const addresses = { mqtt: arrayOf(nonEmpty), api: arrayOf(nonEmpty) };
const joinResponse = object({ certificate: nonEmpty, ca: nonEmpty, cluster: nonEmpty, ...addresses });
const joinInfo = object({ cluster: nonEmpty, caHash: nonEmpty, ...addresses });
const hubFile = object({ cluster: nonEmpty, nodeName: nonEmpty, ...addresses });

const checked =
  <T>(check: Check) =>
  (value: unknown): Decoded<T> => {
    const why = check(value, '');
    return why === undefined ? { ok: true, value: value as T } : { ok: false, why };
  };

/** Each takes parsed JSON of unknown shape; never throws. */
export const decodeCaResponse = checked<CaResponse>(caResponse);
export const decodeJoinRequest = checked<JoinRequest>(joinRequest);
export const decodeRenewRequest = checked<RenewRequest>(renewRequest);
export const decodeJoinResponse = checked<JoinResponse>(joinResponse);
export const decodeJoinInfo = checked<JoinInfo>(joinInfo);
export const decodeHubFile = checked<HubFile>(hubFile);

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const MAX_LABEL = 63;

/** True for a name a device may have: a DNS label, because it is one level of an MQTT topic and part of host names. */
export function isNodeName(name: string): boolean {
  return name.length <= MAX_LABEL && DNS_LABEL.test(name);
}

const NODE_PREFIX = 'system:node:';

/** The node a certificate's common name stands for; undefined when it is no device's. */
export function nodeOfCommonName(commonName: string): string | undefined {
  if (!commonName.startsWith(NODE_PREFIX)) return undefined;
  const name = commonName.slice(NODE_PREFIX.length);
  return isNodeName(name) ? name : undefined;
}
