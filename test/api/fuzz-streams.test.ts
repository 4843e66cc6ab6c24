/** Random watches and random changes of protocol: an answer each, nothing left open, never a crash. */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Duplex } from 'node:stream';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { ADMIN_TOKEN, eventually, startHub, type TestHub } from './hub.ts';
import { query, resource, roots, sane, value } from './random-requests.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;
const RUNS = 300;
/** How long what was opened may talk before it is cut. */
const TALK_MS = 10;

const ACCEPT = [
  'application/json',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf,application/json',
] as const;

const PARAMETERS: readonly (readonly [string, readonly string[]])[] = [
  ['resourceVersion', ['', '0', '1', '5', '99999999']],
  ['resourceVersionMatch', ['NotOlderThan', 'Exact', 'x', '']],
  ['sendInitialEvents', ['true', 'false']],
  ['allowWatchBookmarks', ['true', 'false']],
  ['timeoutSeconds', ['0', '1', '-1', '100000000000']],
  ['labelSelector', ['a', '!a', 'a=b', 'a notin (b,c)', 'a in ()', '=,', '(']],
  ['fieldSelector', ['metadata.name=web', 'metadata.namespace!=', 'a=b', 'metadata.name']],
  ['limit', ['0', '1']],
  ['includeObject', ['Object', 'Metadata', 'None', 'All']],
];
const parameter = fc
  .constantFrom(...PARAMETERS)
  .chain(([name, values]) =>
    fc.tuple(fc.constant(name), fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...values) }, value)),
  );
const watchQuery = fc
  .array(parameter, { maxLength: 4 })
  .map((all) => new URLSearchParams([['watch', '1'], ...all]).toString());

/** What comes of an open answer within TALK_MS; the client then goes. */
async function heard(response: IncomingMessage): Promise<string> {
  let text = '';
  response.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  // Cut off by us.
  response.on('error', () => undefined);
  const over = new Promise<void>((resolve) => response.once('end', () => resolve()));
  const enough = new Promise<void>((resolve) => setTimeout(resolve, TALK_MS).unref());
  await ((response.statusCode ?? 0) === 200 ? Promise.race([over, enough]) : over);
  response.destroy();
  return text;
}

const HEADERS = {
  upgrade: ['websocket', 'SPDY/3.1', 'h2c', '', 'websocket, SPDY/3.1'],
  'sec-websocket-version': ['13', '8', 'x'],
  'sec-websocket-key': ['dGhlIHNhbXBsZSBub25jZQ==', 'short', ''],
  'sec-websocket-protocol': [
    'v5.channel.k8s.io',
    'v4.channel.k8s.io, v5.channel.k8s.io',
    'SPDY/3.1+portforward.k8s.io',
    'base64.binary.k8s.io',
    'base64url.bearer.authorization.k8s.io.x',
    ',,',
    'a b',
  ],
  'x-stream-protocol-version': ['v4.channel.k8s.io', 'portforward.k8s.io', 'x'],
} as const;
const WEB_SOCKET = {
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
/** Headers as clients send them. */
const GOOD: readonly Readonly<Record<string, string>>[] = [
  { ...WEB_SOCKET, 'sec-websocket-protocol': 'v5.channel.k8s.io' },
  { ...WEB_SOCKET, 'sec-websocket-protocol': 'SPDY/3.1+portforward.k8s.io' },
  { ...WEB_SOCKET, 'sec-websocket-protocol': 'base64.binary.k8s.io' },
  { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io' },
  { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'portforward.k8s.io' },
];
const upgradeHeaders = fc
  .tuple(
    fc.constantFrom(...GOOD),
    fc.option(fc.constantFrom(...Object.entries<readonly string[]>(HEADERS)), { freq: 1 }),
    fc.nat(),
  )
  .map(([good, wrong, at]) =>
    wrong === null ? good : { ...good, [wrong[0]]: wrong[1][at % wrong[1].length] ?? '' },
  );
const STREAMS = [
  'exec?command=cat&stdin=1&stdout=1',
  'exec?command=true&stdout=true&stderr=true',
  'exec?command=cat&tty=1&stdin=1&stdout=1',
  'attach?stdout=1&stdin=1',
  'portforward',
  'portforward?ports=1&ports=2',
  'log?follow=1',
  'log?limitBytes=1',
  'exec',
  'exec?command=',
  'portforward?ports=x',
  'attach',
  'proxy/x',
  'status',
];
const streams = fc
  .tuple(fc.constantFrom('web', 'web', 'web', 'web', 'nobody', '%00'), fc.constantFrom(...STREAMS))
  .map(([name, stream]) => `/api/v1/namespaces/default/pods/${name}/${stream}`);

/** A frame as a WebSocket's client may send it, or SPDY's, or neither. */
const frame = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.tuple(fc.constantFrom(0x80, 0x81, 0x82, 0x88, 0x89, 0x02, 0xf2), fc.uint8Array({ maxLength: 100 })).map(
    // Masked with zeros.
    ([head, payload]) => new Uint8Array([head, 0x80 | payload.length, 0, 0, 0, 0, ...payload]),
  ),
  fc
    .tuple(fc.nat(12), fc.nat(255), fc.uint8Array({ maxLength: 60 }))
    .map(
      ([type, flags, payload]) => new Uint8Array([0x80, 3, 0, type, flags, 0, 0, payload.length, ...payload]),
    ),
);

/** Asks to change protocols, then says `frames`; resolves to the status when it is refused, to 101 once it is cut. */
function upgrade(path: string, headers: object, frames: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port: hub.port,
      ca: hub.caPem,
      path,
      agent: false,
      headers: { connection: 'Upgrade', authorization: `Bearer ${ADMIN_TOKEN}`, ...headers },
    });
    sent.on('error', reject);
    sent.on('upgrade', (_response: IncomingMessage, socket: Duplex) => {
      socket.on('error', () => undefined); // whoever closes first
      for (const bytes of frames) socket.write(bytes);
      const timer = setTimeout(() => socket.destroy(), TALK_MS);
      socket.on('close', () => {
        clearTimeout(timer);
        resolve(101);
      });
      socket.resume();
    });
    sent.on('response', (response) => {
      void heard(response).then(() => resolve(response.statusCode ?? 0));
    });
    sent.end();
  });
}

spec(
  'random streams',
  (it) => {
    it('watch with any parameters', async () => {
      let watched = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...roots),
          watchQuery,
          fc.constantFrom(...ACCEPT),
          async (path, q, accept) => {
            const response = await hub.open(`${path}?${q}`, { accept });
            const text = await heard(response);
            const status = response.statusCode ?? 0;
            if (status === 200) watched++;
            else
              sane(
                hub,
                { status, headers: response.headers, text, json: JSON.parse(text) as unknown },
                `${path}?${q}`,
              );
            for (const line of status === 200 ? text.split('\n').slice(0, -1) : [])
              assert.ok('type' in (JSON.parse(line) as object), line);
          },
        ),
        { numRuns: RUNS },
      );
      assert.ok(watched > RUNS / 10, `only ${watched} watches were let in`);
      await eventually('all watches are over', () => hub.store.watchers() === 0);
    });

    it('change to any protocol and say anything', async () => {
      let changed = 0;
      const path = fc.oneof(
        { weight: 3, arbitrary: streams },
        { weight: 1, arbitrary: fc.tuple(resource, query).map(([where, q]) => `${where}?${q}`) },
        {
          weight: 1,
          arbitrary: fc.tuple(fc.constantFrom(...roots), watchQuery).map(([where, q]) => `${where}?${q}`),
        },
      );
      await fc.assert(
        fc.asyncProperty(
          path,
          upgradeHeaders,
          fc.array(frame, { maxLength: 4 }),
          async (where, headers, frames) => {
            const status = await upgrade(where, headers, frames);
            if (status === 101) changed++;
            const isAway = status === 503 && where.includes('/proxy');
            assert.ok(
              status < 500 || status === 504 || isAway,
              `${where} ${JSON.stringify(headers)}: ${status}`,
            );
            assert.equal(hub.complaints, [], `${where} ${JSON.stringify(headers)}`);
          },
        ),
        { numRuns: RUNS },
      );
      assert.ok(changed > RUNS / 20, `only ${changed} changed`);
      await eventually('all streams are over', () => hub.device.live === 0 && hub.store.watchers() === 0);
      assert.is((await hub.ask('GET', '/readyz')).status, 200);
    });
  },
  {
    caseTimeoutMs: 120_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('web', 'worker-1'));
    },
    after: () => hub.stop(),
  },
);
