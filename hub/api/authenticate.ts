import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { ApiError } from '../../protocol/status.ts';
import type { TokenLookup, User } from './ports.ts';

/** Stands for the asker until, or unless, it has to say who it is. */
export const ANONYMOUS: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

const UNAUTHENTICATED = 'system:unauthenticated';
const AUTHENTICATED = 'system:authenticated';
/** Subprotocol by which browsers hand a bearer token to a WebSocket. */
export const BEARER_PROTOCOL = 'base64url.bearer.authorization.k8s.io.';

/** Users of open connections: a certificate cannot change within one, and reading it costs more than a small request. */
export type CertifiedUsers = WeakMap<object, User>;

/**
 * Finds out who asks: a bearer token when one is sent, else a client certificate our authority signed.
 * Rejects with `Unauthorized` when there is neither, or the token is nobody's.
 */
export async function authenticate(
  request: IncomingMessage,
  tokens: TokenLookup,
  certified: CertifiedUsers,
): Promise<User> {
  const token = bearerToken(request) ?? socketToken(request);
  if (token !== undefined) {
    const user = token === '' ? undefined : await tokens(token);
    if (user === undefined) throw unauthorized();
    return withGroup(user);
  }
  const user = certificateUser(request.socket as Partial<TLSSocket>, certified);
  if (user === undefined) throw unauthorized();
  return user;
}

/** 401 as Kubernetes words it; kubectl turns it into "You must be logged in to the server". */
export function unauthorized(): ApiError {
  return new ApiError('Unauthorized', 'Unauthorized');
}

/** Adds the group of everybody who is known, and keeps the rest. */
export function withGroup(user: User): User {
  if (user.groups.includes(AUTHENTICATED) || user.groups.includes(UNAUTHENTICATED)) return user;
  return { ...user, groups: [...user.groups, AUTHENTICATED] };
}

/** The bearer token of a request; empty when the header is there but holds none. */
export function bearerToken(request: IncomingMessage): string | undefined {
  const match = /^bearer +(\S+)$/i.exec(request.headers.authorization?.trim() ?? '');
  if (match !== null) return match[1];
  return request.headers.authorization === undefined ? undefined : '';
}

function socketToken(request: IncomingMessage): string | undefined {
  const protocols = request.headers['sec-websocket-protocol']?.split(',').map((p) => p.trim()) ?? [];
  const bearer = protocols.find((p) => p.startsWith(BEARER_PROTOCOL));
  return bearer === undefined
    ? undefined
    : Buffer.from(bearer.slice(BEARER_PROTOCOL.length), 'base64url').toString('utf8');
}

/** The certificate the TLS peer holds the key of (DER), whoever signed it and whether or not it has expired. */
export function peerCertificate(request: IncomingMessage): Buffer | undefined {
  const socket = request.socket as Partial<TLSSocket>;
  const raw: Buffer | undefined = socket.getPeerCertificate?.().raw;
  return raw;
}

/** `authorized` is Node's word that the chain leads to our authority and is in date. */
function certificateUser(socket: Partial<TLSSocket>, certified: CertifiedUsers): User | undefined {
  if (socket.authorized !== true || socket.getPeerCertificate === undefined) return undefined;
  const known = certified.get(socket);
  if (known !== undefined) return known;
  const { subject } = socket.getPeerCertificate();
  const [name] = listOf(subject?.CN);
  if (name === undefined || name === '') return undefined;
  const user = withGroup({ name, groups: listOf(subject.O) });
  certified.set(socket, user);
  return user;
}

/** A repeated attribute comes as an array, whatever the types of Node say. */
function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
