/** Watches and logs over WebSocket, as Headlamp and other pages in browsers read them. */
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { spec } from '../spec.ts';
import { ADMIN_TOKEN, eventually, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod, waitingPod } from './worlds.ts';

let hub: TestHub;
const MAPS = '/api/v1/namespaces/default/configmaps';
const LOG = '/api/v1/namespaces/default/pods/solo/log';

interface Heard {
  readonly socket: WebSocket;
  /** Messages as they came, and whether each was binary. */
  readonly messages: { readonly text: string; readonly binary: boolean }[];
  readonly ends: { readonly code: number; readonly reason: string }[];
}

/** Opens a WebSocket with a token as browsers hand it over; rejects with the HTTP status it was refused with. */
function listen(path: string, protocols: readonly string[] = []): Promise<Heard> {
  const token = `base64url.bearer.authorization.k8s.io.${Buffer.from(ADMIN_TOKEN).toString('base64url')}`;
  // A token alone cannot be the subprotocol of the answer.
  const bare = protocols.length === 0;
  const socket = new WebSocket(`wss://127.0.0.1:${hub.port}${path}`, bare ? [] : [...protocols, token], {
    ca: hub.caPem,
    ...(bare ? { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } } : {}),
  });
  const heard: Heard = { socket, messages: [], ends: [] };
  socket.on('message', (data, binary) => void heard.messages.push({ text: String(data), binary }));
  socket.on('close', (code, reason) => void heard.ends.push({ code, reason: String(reason) }));
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(heard));
    socket.on('unexpected-response', (_request, response) => reject(new Error(String(response.statusCode))));
    socket.on('error', reject);
  });
}

async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
}

const events = ({
  messages,
}: Heard): { type: string; object: { metadata: { name: string }; code?: number } }[] =>
  messages.map(({ text }) => JSON.parse(text) as ReturnType<typeof events>[number]);

spec(
  'WebSocket reads',
  (it) => {
    it('watches: one text message for each event', async () => {
      await hub.ask('POST', MAPS, { body: { metadata: { name: 'first' } } });
      const watching = await listen(`${MAPS}?watch=1`, ['base64.binary.k8s.io']);
      assert.is(watching.socket.protocol, 'base64.binary.k8s.io');
      await eventually('what is there is told', () => watching.messages.length === 1);
      await hub.ask('POST', MAPS, { body: { metadata: { name: 'second' } } });
      await hub.ask('DELETE', `${MAPS}/second`);
      await eventually('changes are told', () => watching.messages.length === 3);
      assert.equal(
        events(watching).map(({ type, object }) => `${type} ${object.metadata.name}`),
        ['ADDED first', 'ADDED second', 'DELETED second'],
      );
      assert.not.ok(watching.messages.some(({ binary, text }) => binary || text.endsWith('\n')));
      watching.socket.close();
      await eventually('the watch is over', () => hub.store.watchers() === 0);
    });

    it('ends a watch by its timeout, and one from the future with an error', async () => {
      const short = await listen(`${MAPS}?watch=1&timeoutSeconds=1`);
      const future = await listen(`${MAPS}?watch=1&resourceVersion=999999999`);
      await eventually('both are over', () => short.ends.length + future.ends.length === 2);
      assert.is(short.ends[0]?.code, 1000);
      assert.equal(
        events(future).map(({ type, object }) => [type, object.code]),
        [['ERROR', 410]],
      );
    });

    it('holds events back for a watcher that reads nothing', async () => {
      const watching = await listen(`${MAPS}?watch=1`);
      watching.socket.pause();
      const filler = 'x'.repeat(500_000);
      for (let i = 0; i < 40; i++)
        await hub.ask('POST', MAPS, { body: { metadata: { name: `big-${i}` }, data: { filler } } });
      assert.ok(watching.messages.length < 40);
      watching.socket.resume();
      await eventually('a reader that comes back has it all', () => watching.messages.length === 41);
      watching.socket.close();
    });

    const forms = [
      ['binary.k8s.io', true, (text: string) => text],
      ['base64.binary.k8s.io', false, (text: string) => Buffer.from(text, 'base64').toString()],
    ] as const;
    for (const [protocol, isBinary, decode] of forms)
      it(`follows a log in ${protocol}, an empty message first`, async () => {
        hub.device.logText = 'one\n';
        const log = await listen(`${LOG}?follow=true`, [protocol]);
        await eventually('it is told so far', () => log.messages.length === 2);
        await hub.device.say('two\n');
        await eventually('it is told on', () => log.messages.length === 3);
        hub.device.endLogs();
        await eventually('it ends', () => log.ends.length === 1);
        assert.equal(
          log.messages.map(({ text }) => decode(text)),
          ['', 'one\n', 'two\n'],
        );
        assert.ok(log.messages.every(({ binary }) => binary === isBinary));
        assert.is(log.ends[0]?.code, 1000);
      });

    it('says that a log was cut short', async () => {
      const log = await listen(`${LOG}?follow=true`);
      hub.device.endLogs({ reason: 'ServiceUnavailable', message: 'the link was lost' });
      await eventually('it ends', () => log.ends.length === 1);
      assert.equal(log.ends, [{ code: 1011, reason: 'the link was lost' }]);
    });

    it('refuses before the handshake what cannot be read', async () => {
      assert.is(await refusal(listen(LOG.replace('solo', 'nobody'))), '404');
      assert.is(await refusal(listen(LOG.replace('solo', 'creating'))), '400');
      assert.is(await refusal(listen(LOG, ['v4.channel.k8s.io'])), '403');
      hub.device.connected = false;
      const away = await refusal(listen(LOG));
      hub.device.connected = true;
      assert.is(away, '503');
    });

    it('leaves nothing open and nothing to complain about', async () => {
      await eventually('all is closed', () => hub.device.live === 0 && hub.store.watchers() === 0);
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 30_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('solo', 'worker-1'));
      await hub.put(waitingPod('creating', 'worker-1', 'ContainerCreating'));
    },
    after: () => hub.stop(),
  },
);
