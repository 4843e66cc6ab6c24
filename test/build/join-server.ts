import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Authority } from '../../hub/pki/authority.ts';
import { type ExtraRoute, joinRoutes } from '../../hub/pki/join-routes.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { FewObjects } from '../fakes/few-objects.ts';

/** The part of the API server that joining needs: the routes of hub/pki behind real TLS, and Secrets of kube-system. */
export interface JoinServer {
  readonly url: string;
  readonly objects: FewObjects;
  /** Bearer tokens as they arrived. */
  readonly bearers: string[];
  /** While true, answers are computed and then cut off on the way. */
  losesAnswers: boolean;
  /** Extra answers by path. */
  readonly canned: Map<string, unknown>;
  stop(): Promise<void>;
}

const SECRETS = '/api/v1/namespaces/kube-system/secrets';

/** Starts one on loopback; `tls` serves another authority's certificate, as somebody in between would. */
export async function startJoinServer(authority: Authority, tls: Authority = authority): Promise<JoinServer> {
  const objects = new FewObjects();
  const store = { view: objects, client: objects };
  const addresses = {
    mqtt: ['mqtts://127.0.0.1:8883'],
    api: ['https://127.0.0.1:6443', 'https://192.0.2.7:6443'],
  };
  const routes = joinRoutes({
    ...store,
    authority,
    clock: systemClock,
    log: silentLogger,
    addresses: () => addresses,
  });
  const server = createServer({
    key: tls.serverKeyPem,
    cert: tls.serverCertPem,
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const started: JoinServer = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    bearers: [],
    losesAnswers: false,
    canned: new Map(),
    stop: () => stop(server),
  };
  server.on('request', (request, response) => {
    answer(started, routes, request).then(
      ({ code, body }) => reply(started, request, response, code, body),
      (error: unknown) => reply(started, request, response, 500, { message: String(error) }),
    );
  });
  return started;
}

async function answer(
  server: JoinServer,
  routes: readonly ExtraRoute[],
  request: IncomingMessage,
): Promise<{ code: number; body: unknown }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const { method = '', url: path = '' } = request;
  const bearer = request.headers.authorization?.slice('Bearer '.length);
  if (bearer !== undefined) server.bearers.push(bearer);
  if (server.canned.has(path)) return { code: 200, body: server.canned.get(path) };
  if (path.startsWith(SECRETS)) return secrets(server.objects, method, path, body);
  const route = routes.find((r) => r.method === method && r.path === path);
  if (route === undefined) return { code: 404, body: { message: 'not found' } };
  const peer = (request.socket as TLSSocket).getPeerX509Certificate()?.raw;
  return route.handle({
    body,
    ...(bearer === undefined ? {} : { bearer }),
    ...(peer === undefined ? {} : { peerCertificateDer: peer }),
  });
}

/** Secrets as the API server keeps them, reduced to what `cox token` asks for. */
async function secrets(
  objects: FewObjects,
  method: string,
  path: string,
  body: Buffer,
): Promise<{ code: number; body: unknown }> {
  const name = path.slice(SECRETS.length + 1);
  if (method === 'POST') {
    const { stringData = {}, ...secret } = JSON.parse(body.toString());
    const data = Object.fromEntries(
      Object.entries<string>(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    );
    return { code: 201, body: await objects.create('Secret', { ...secret, data }) };
  }
  if (name === '') return { code: 200, body: { items: objects.list('Secret', 'kube-system') } };
  const held = objects.get('Secret', 'kube-system', name);
  if (held === undefined) return { code: 404, body: { message: 'not found' } };
  if (method === 'DELETE') await objects.delete('Secret', 'kube-system', name);
  return { code: 200, body: held };
}

function reply(
  server: JoinServer,
  request: IncomingMessage,
  response: ServerResponse,
  code: number,
  body: unknown,
): void {
  if (server.losesAnswers && request.method === 'POST') {
    request.socket.destroy();
    return;
  }
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
