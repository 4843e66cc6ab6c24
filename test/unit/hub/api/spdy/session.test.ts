import { duplexPair } from 'node:stream';
import * as assert from 'uvu/assert';
import { SpdySession } from '../../../../../hub/api/spdy/session.ts';
import { SpdyError } from '../../../../../hub/api/spdy/spdy-error.ts';
import type { SpdyStream, SpdyStreamHandlers } from '../../../../../hub/api/spdy/stream.ts';
import { ManualClock } from '../../../../fakes/manual-clock.ts';
import { SpdyClient } from '../../../../fakes/spdy-client.ts';
import { spec } from '../../../../spec.ts';

const MIB = 1024 * 1024;

function setUp(onStream: (stream: SpdyStream, type: string) => SpdyStreamHandlers | undefined) {
  const [server, client] = duplexPair();
  const clock = new ManualClock();
  const session = new SpdySession({
    socket: server,
    clock,
    onStream: (stream, headers) => onStream(stream, headers.get('streamtype') ?? ''),
  });
  const ended = session.run().then(
    () => undefined,
    (error: unknown) => error,
  );
  return { session, ended, clock, socket: client, client: new SpdyClient(client) };
}

const echo = (stream: SpdyStream): SpdyStreamHandlers => {
  stream.reply();
  return { onData: (payload) => stream.write(payload), onEnd: () => stream.end() };
};

async function until(check: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 5000;
  while (!check()) {
    if (Date.now() > deadlineMs) throw new Error('never came true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

spec('SpdySession', (it) => {
  it('carries streams side by side, each to its end', async () => {
    const { client, socket, ended } = setUp(echo);
    const [a, b] = [await client.open({ streamtype: 'data' }), await client.open({ streamtype: 'data' })];
    client.say(a, 'one');
    client.say(b, 'two', true);
    client.say(a, ' more', true);
    await until(() => client.has('fin', a) && client.has('fin', b));
    assert.equal([client.heard(a), client.heard(b)], ['one more', 'two']);
    assert.ok(client.has('syn-reply', a) && client.has('syn-reply', b));
    socket.end();
    assert.is(await ended, undefined);
  });

  it('refuses streams nobody wants, and reads the headers of the next all the same', async () => {
    const { client, socket } = setUp((stream, type) => (type === 'data' ? echo(stream) : undefined));
    const refused = await client.open({ streamtype: 'other' });
    const taken = await client.open({ streamtype: 'data' });
    client.say(refused, 'late');
    client.say(taken, 'hi', true);
    await until(() => client.has('fin', taken));
    assert.ok(client.has('rst-stream', refused));
    assert.is(client.heard(taken), 'hi');
    socket.destroy();
  });

  it('holds the client back while the consumer is slow', async () => {
    let free: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => {
      free = resolve;
    });
    let taken = 0;
    const { client, socket } = setUp(() => ({
      onData: (payload) => {
        taken += payload.length;
        return slow;
      },
    }));
    const stream = await client.open({ streamtype: 'data' });
    const payload = Buffer.alloc(64 * 1024);
    for (let i = 0; i < 64; i++) client.send({ type: 'data', stream, payload, fin: false });
    await until(() => taken > MIB);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(taken < 1.5 * MIB, `${taken} bytes are held`);
    free();
    await until(() => taken === 64 * payload.length);
    socket.destroy();
  });

  it('tells open streams that the client is gone', async () => {
    let resets = 0;
    const { client, socket, ended } = setUp(() => ({
      onData: () => undefined,
      onReset: () => void resets++,
    }));
    await client.open({ streamtype: 'data' });
    await client.open({ streamtype: 'data' });
    await until(() => true);
    socket.end();
    await ended;
    assert.is(resets, 2);
  });

  it('answers pings, and cuts off a client that answers none', async () => {
    const { client, clock, socket, ended } = setUp(echo);
    client.send({ type: 'ping', id: 41 });
    await until(() => client.frames.some((f) => f.type === 'ping' && f.id === 41));
    for (let i = 0; i < 3; i++) await clock.advance(30_000);
    await ended;
    assert.ok(client.frames.filter((f) => f.type === 'ping' && f.id % 2 === 0).length >= 1);
    socket.destroy();
  });

  it('ends after what was sent when it is closed', async () => {
    const open: SpdyStream[] = [];
    const { client, session, ended } = setUp((stream) => {
      open.push(stream);
      return { onData: () => undefined };
    });
    const id = await client.open({ streamtype: 'data' });
    await until(() => open.length === 1);
    void open[0]?.write(Buffer.from('last words'));
    open[0]?.end();
    session.close();
    await until(() => client.frames.some((f) => f.type === 'go-away'));
    assert.is(client.heard(id), 'last words');
    client.say(id, 'late');
    assert.is(await Promise.race([ended, Promise.resolve('still draining')]), 'still draining');
  });

  const breaches = [
    [
      'a stream of the server',
      (client: SpdyClient) =>
        client.send({ type: 'syn-stream', stream: 2, block: Buffer.alloc(0), fin: false }),
    ],
    [
      'headers that are none',
      (client: SpdyClient) =>
        client.send({ type: 'syn-stream', stream: 1, block: Buffer.from('zzzz'), fin: false }),
    ],
    [
      'another protocol',
      (_client: SpdyClient, raw: (bytes: Buffer) => void) => raw(Buffer.from('ffff000000000000', 'hex')),
    ],
  ] as const;
  for (const [name, breach] of breaches)
    it(`ends the session on ${name}`, async () => {
      const { client, socket, ended } = setUp(echo);
      breach(client, (bytes) => void socket.write(bytes));
      assert.instance(await ended, SpdyError);
    });
});
