/** Joining and renewing over HTTPS: the only doors of the hub that let in who has no valid certificate yet. */
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import { ApiError } from '../../protocol/status.ts';
import {
  decodeJoinRequest,
  decodeRenewRequest,
  isNodeName,
  JOIN_PATHS,
  type JoinInfo,
  type JoinResponse,
  nodeOfCommonName,
} from '../../protocol/wire/identity.ts';
import type { Decoded } from '../../protocol/wire/shape.ts';
import type { ClusterClient, ClusterView } from '../cluster.ts';
import type { PeerVerdict } from './authority.ts';
import { JoinGuard } from './join-guard.ts';
import { checkToken, type GoodToken, type TokenProblem, type TokenStore, takeToken } from './tokens.ts';

/** A request as the API server hands it over. `peerCertificateDer` is what the TLS peer proved to hold, not yet verified. */
export interface ExtraRequest {
  readonly body: Buffer;
  readonly bearer?: string;
  readonly peerCertificateDer?: Buffer;
}

/** A path the API server serves for another room; `body` of the answer goes out as JSON. */
export interface ExtraRoute {
  readonly method: string;
  readonly path: string;
  readonly anonymous: boolean;
  handle(request: ExtraRequest): Promise<{ code: number; body: unknown }>;
}

/** The part of the authority these routes use. */
export interface JoinAuthority {
  readonly clusterId: string;
  readonly caPem: string;
  readonly caHash: string;
  signNodeCsr(csrPem: string, nodeName: string): Promise<string>;
  verifyOurs(certificate: Buffer): PeerVerdict;
}

/** `addresses` is asked at every answer, because a hub may learn of its addresses later. */
export interface JoinRoutesOptions {
  readonly authority: JoinAuthority;
  readonly view: Pick<ClusterView, 'get' | 'list'>;
  readonly client: Pick<ClusterClient, 'create' | 'delete'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly addresses: () => { readonly mqtt: readonly string[]; readonly api: readonly string[] };
}

/** The routes of joining, for the API server. Every refusal is a Kubernetes Status whose message names the next step. */
export function joinRoutes(options: JoinRoutesOptions): ExtraRoute[] {
  const desk = new JoinDesk(options);
  const { authority, addresses } = options;
  const route = (
    method: string,
    path: string,
    anonymous: boolean,
    answer: (request: ExtraRequest) => Promise<unknown>,
  ): ExtraRoute => ({ method, path, anonymous, handle: (request) => settled(answer(request)) });
  const info = (): JoinInfo => ({
    cluster: authority.clusterId,
    caHash: authority.caHash,
    ...addresses(),
  });
  return [
    route('GET', JOIN_PATHS.ca, true, () => Promise.resolve({ ca: authority.caPem })),
    route('GET', JOIN_PATHS.info, false, () => Promise.resolve(info())),
    route('POST', JOIN_PATHS.join, true, (request) => desk.join(request)),
    route('POST', JOIN_PATHS.renew, true, (request) => desk.renew(request)),
  ];
}

const TOKEN_TEXTS: Record<TokenProblem, string> = {
  Malformed: 'the token must look like abcdef.0123456789abcdef',
  UnknownOrUsed: 'the token is unknown or has been used; make another with: cox token create',
  Expired: 'the token has expired; make another with: cox token create',
  NotForJoining: 'the token may not be used for joining; make another with: cox token create',
};

/** Decides who is let in. Invariant: a token admits one key, however many requests bear it at once. */
class JoinDesk {
  readonly #o: JoinRoutesOptions;
  readonly #tokens: TokenStore;
  readonly #guard: JoinGuard;

  constructor(options: JoinRoutesOptions) {
    this.#o = options;
    this.#tokens = { view: options.view, client: options.client, clock: options.clock };
    this.#guard = new JoinGuard(options.clock);
  }

  async join(request: ExtraRequest): Promise<JoinResponse> {
    const bearer = request.bearer ?? '';
    const again = this.#guard.repeated(bearer, request.body);
    if (again !== undefined) return again;
    const token = checkToken(this.#tokens, bearer);
    if (typeof token === 'string') throw this.#refused(token);
    const body = decoded(decodeJoinRequest(json(request.body)));
    if (!isNodeName(body.nodeName))
      throw new ApiError(
        'BadRequest',
        `"${body.nodeName}" cannot be a node's name: use up to 63 of a-z, 0-9 and -`,
      );
    const node = this.#o.view.get('Node', '', body.nodeName);
    if (node !== undefined && isAlive(node) && body.replace !== 'yes') throw nameTaken(body.nodeName);
    const certificate = await this.#sign(body.csr, body.nodeName);
    await this.#take(token);
    const response = this.#response(certificate);
    this.#guard.remember(bearer, request.body, response);
    this.#o.log.info('device joined', { node: body.nodeName, reissued: node !== undefined });
    if (node !== undefined) await this.#tellReissued(node);
    return response;
  }

  async renew(request: ExtraRequest): Promise<JoinResponse> {
    const der = request.peerCertificateDer;
    if (der === undefined)
      throw this.#guard.failed('renewing needs the device certificate as TLS client certificate');
    const peer = this.#o.authority.verifyOurs(der);
    if (!peer.ours)
      throw this.#guard.failed('the client certificate is not of this cluster; join again with: cox join');
    const nodeName = nodeOfCommonName(peer.commonName);
    if (nodeName === undefined) throw this.#guard.failed('only devices renew here');
    const { csr } = decoded(decodeRenewRequest(json(request.body)));
    const certificate = await this.#sign(csr, nodeName);
    this.#o.log.info('device certificate renewed', { node: nodeName, wasExpired: peer.expired });
    return this.#response(certificate);
  }

  #response(certificate: string): JoinResponse {
    const { authority, addresses } = this.#o;
    return { certificate, ca: authority.caPem, cluster: authority.clusterId, ...addresses() };
  }

  #refused(problem: TokenProblem): ApiError {
    this.#o.log.debug('join refused', { why: problem });
    return this.#guard.failed(TOKEN_TEXTS[problem]);
  }

  async #take(token: GoodToken): Promise<void> {
    if (!(await takeToken(this.#tokens, token))) throw this.#refused('UnknownOrUsed');
  }

  async #sign(csr: string, nodeName: string): Promise<string> {
    try {
      return await this.#o.authority.signNodeCsr(csr, nodeName);
    } catch (error) {
      if (error instanceof Error && error.name === 'RequestError')
        throw new ApiError('BadRequest', `the certificate request is refused: ${error.message}`, undefined, {
          cause: error,
        });
      throw error;
    }
  }

  /** People should see that a name changed hands; the device is let in also when the event cannot be kept. */
  async #tellReissued(node: Node): Promise<void> {
    const { client, clock, log } = this.#o;
    const at = new Date(clock.nowMs()).toISOString();
    try {
      await client.create('Event', {
        metadata: { generateName: `${node.metadata.name}.`, namespace: 'default' },
        involvedObject: { kind: 'Node', name: node.metadata.name, uid: node.metadata.uid, apiVersion: 'v1' },
        type: 'Warning',
        reason: 'CertificateReissued',
        message: 'A device joined under the name of a known node and got a certificate of its own.',
        count: 1,
        firstTimestamp: `${at.slice(0, 19)}Z`,
        lastTimestamp: `${at.slice(0, 19)}Z`,
        source: { component: 'coxswain-hub' },
      });
    } catch (error) {
      log.warn('event not kept', { node: node.metadata.name, err: error });
    }
  }
}

function isAlive(node: Node): boolean {
  return node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

function nameTaken(nodeName: string): ApiError {
  return new ApiError(
    'AlreadyExists',
    `a node named "${nodeName}" is a member and alive; choose another --node-name, or take its place with --replace`,
    { name: nodeName, kind: 'nodes' },
  );
}

function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new ApiError('BadRequest', 'the body is not JSON', undefined, { cause: error });
  }
}

function decoded<T>(result: Decoded<T>): T {
  if (!result.ok) throw new ApiError('BadRequest', `the body is not as it should be: ${result.why}`);
  return result.value;
}

async function settled(answer: Promise<unknown>): Promise<{ code: number; body: unknown }> {
  try {
    return { code: 200, body: await answer };
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, body: error.toStatus() };
    throw error;
  }
}
