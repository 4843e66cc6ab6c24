/** What a device may do on the broker, as plain answers; `embedded.ts` acts on them. */
import { NODES_GROUP, nodeCommonName } from '../../kit/csr.ts';
import { nodeOfCommonName } from '../../protocol/wire/identity.ts';
import { devicePublishAllowed, deviceSubscribeAllowed } from '../../protocol/wire/topics.ts';
import type { RefusalReason } from './refusals.ts';

/** What the authority says of a client certificate. */
export type PeerVerdict =
  | {
      readonly ours: true;
      readonly expired: boolean;
      readonly commonName: string;
      readonly organisations: readonly string[];
    }
  | { readonly ours: false };

/** Who is at the other end of a connection, and what it may not do from the start. */
export interface PeerIdentity {
  readonly node: string;
  readonly problem?: RefusalReason;
}

/** The parts of a CONNECT that are judged. */
export interface ConnectRequest {
  readonly clientId: string;
  readonly clean: boolean;
  readonly hasWill: boolean;
}

/** Names the peer behind a certificate; `problem` when it is no device in good standing. */
export function identify(verdict: PeerVerdict | undefined): PeerIdentity {
  if (verdict === undefined) return { node: '', problem: 'NoCertificate' };
  if (!verdict.ours) return { node: '', problem: 'ForeignCertificate' };
  const node = nodeOfCommonName(verdict.commonName);
  if (node === undefined || !verdict.organisations.includes(NODES_GROUP))
    return { node: '', problem: 'NotADevice' };
  return verdict.expired ? { node, problem: 'ExpiredCertificate' } : { node };
}

/** Why a CONNECT is refused: sessions end with their connection, and nothing of them stays in the broker. */
export function connectProblem(identity: PeerIdentity, request: ConnectRequest): RefusalReason | undefined {
  if (identity.problem !== undefined) return identity.problem;
  if (request.clientId !== nodeCommonName(identity.node)) return 'ClientIdMismatch';
  if (!request.clean) return 'PersistentSession';
  return request.hasWill ? 'LastWill' : undefined;
}

/** Why a device may not publish this. */
export function publishProblem(
  node: string,
  packet: { readonly topic: string; readonly retain: boolean; readonly qos: number },
): RefusalReason | undefined {
  if (!devicePublishAllowed(node, packet.topic)) return 'TopicNotAllowed';
  if (packet.retain) return 'Retained';
  return packet.qos > 1 ? 'QosTooHigh' : undefined;
}

/** Why a device may not subscribe to this. */
export function subscribeProblem(node: string, filter: string): RefusalReason | undefined {
  return deviceSubscribeAllowed(node, filter) ? undefined : 'FilterNotAllowed';
}
