import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import * as assert from 'uvu/assert';
import type { LogChoice, SessionChoice, StreamContainer } from '../../../../edge-agent/streams/ports.ts';
import { StreamServer } from '../../../../edge-agent/streams/stream-server.ts';
import { silentLogger } from '../../../../kit/logger.ts';
import { StreamEndpoint } from '../../../../kit/stream-endpoint.ts';
import type { StreamEnd } from '../../../../protocol/wire/frames.ts';
import type { OpenMessage } from '../../../../protocol/wire/messages.ts';
import { until } from '../../../build/devices.ts';
import { spec } from '../../../spec.ts';

const container: StreamContainer = {
  name: 'main',
  id: 'id-main',
  running: true,
  tty: false,
  stdin: true,
  previousId: 'id-before',
};

/** A device with one pod and an engine made of pipes, and the hub's end of one stream. */
class Bench {
  readonly calls: unknown[] = [];
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly sizes: [number, number][] = [];
  readonly got: Record<string, string> = {};
  readonly ends: string[] = [];
  closed = 0;
  exitCode: number | undefined = 0;
  containers: StreamContainer[] = [container];
  end: StreamEnd | undefined;
  readonly server: StreamServer;
  readonly hub: StreamEndpoint;

  constructor(maxStreams = 4) {
    const flow = {
      stdin: this.stdin,
      stdout: this.stdout,
      stderr: this.stderr,
      close: () => {
        this.closed += 1;
        this.stdout.destroy();
        this.stderr.destroy();
      },
      resize: (w: number, h: number) => Promise.resolve(void this.sizes.push([w, h])),
      exitCode: () => Promise.resolve(this.exitCode),
    };
    this.server = new StreamServer({
      log: silentLogger,
      maxStreams,
      send: (_stream, frame) => this.hub.receive(frame),
      pods: {
        containersOf: (uid) => (uid === 'pod1' ? this.containers : undefined),
        addressOf: (uid) => (uid === 'pod1' ? '127.0.0.1' : undefined),
      },
      runtime: {
        logs: (id: string, choice: LogChoice) => this.#called(flow, 'logs', id, choice),
        openExec: (id: string, command: readonly string[], choice: SessionChoice) =>
          this.#called(flow, 'exec', id, command, choice),
        openAttach: (id: string, choice: SessionChoice) => this.#called(flow, 'attach', id, choice),
      },
    });
    this.hub = new StreamEndpoint({
      send: (frame) => this.server.receive('s1', frame),
      onData: (channel, payload) => {
        this.got[channel] = (this.got[channel] ?? '') + Buffer.from(payload).toString();
      },
      onEnd: (channel) => void this.ends.push(channel),
      onResize: () => undefined,
      onClose: (end) => {
        this.end = end;
      },
    });
  }

  #called<T>(flow: T, ...call: unknown[]): Promise<T> {
    this.calls.push(call);
    return Promise.resolve(flow);
  }

  open(over: Partial<OpenMessage>): this {
    this.server.accept({ t: 'open', stream: 's1', kind: 'log', podUid: 'pod1', ...over });
    return this;
  }

  async ended(): Promise<StreamEnd> {
    await until('the stream to end', () => this.end !== undefined);
    return this.end ?? {};
  }
}

const exec = { command: ['sh'], stdin: true, stdout: true, stderr: true, tty: false };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

spec('StreamServer', (it) => {
  it('sends a log with the options asked for, to its end', async () => {
    const b = new Bench().open({ log: { follow: true, tailLines: 5, sinceMs: 9, timestamps: true } });
    b.stdout.write('one\n');
    b.stderr.end('two\n');
    b.stdout.end('three\n');
    assert.equal(await b.ended(), {});
    assert.equal(b.calls[0], [
      'logs',
      'id-main',
      { follow: true, tty: false, timestamps: true, tailLines: 5, sinceMs: 9 },
    ]);
    assert.equal((b.got['stdout'] ?? '').split('\n').sort(), ['', 'one', 'three', 'two']);
    assert.is(b.server.open, 0);
  });

  it('stops at limitBytes, and reads the container before', async () => {
    const b = new Bench().open({ log: { limitBytes: 6, previous: true, follow: true } });
    b.stdout.write('0123456789');
    assert.equal(await b.ended(), {});
    assert.is(b.got['stdout'], '012345');
    assert.equal((b.calls[0] as unknown[])[1], 'id-before');
    assert.ok(b.closed > 0);
  });

  it('gathers many small lines into few frames', async () => {
    const b = new Bench();
    let frames = 0;
    const receive = b.hub.receive.bind(b.hub);
    b.hub.receive = (frame) => {
      frames += 1;
      receive(frame);
    };
    b.open({ log: { follow: true } });
    for (let i = 0; i < 2000; i++) {
      b.stdout.write(`line ${i}\n`);
      if (i % 20 === 0) await new Promise((r) => setImmediate(r));
    }
    b.stdout.end();
    b.stderr.end();
    await b.ended();
    assert.is((b.got['stdout'] ?? '').split('\n').length, 2001);
    assert.ok(frames < 60, `${frames} frames`);
  });

  it('runs a command with its input, its size and its exit code', async () => {
    const b = new Bench();
    b.exitCode = 3;
    b.open({ kind: 'exec', exec });
    void b.hub.write('stdin', bytes('echo hi\n'));
    b.hub.resize(80, 24);
    b.hub.end('stdin');
    let typed = '';
    b.stdin.on('data', (chunk: Buffer) => {
      typed += chunk.toString();
    });
    await once(b.stdin, 'end');
    b.stdout.end('hi\n');
    b.stderr.end('warn\n');
    assert.equal(await b.ended(), { exitCode: 3 });
    assert.is(typed, 'echo hi\n');
    assert.equal(b.got, { stdout: 'hi\n', stderr: 'warn\n' });
    assert.equal(b.sizes, [[80, 24]]);
    assert.equal(b.calls[0], [
      'exec',
      'id-main',
      ['sh'],
      { stdin: true, stdout: true, stderr: true, tty: false },
    ]);
  });

  it('keeps frames that overtook the opening, and drops those after the end', async () => {
    const b = new Bench();
    void b.hub.write('stdin', bytes('early'));
    b.hub.end('stdin');
    b.open({ kind: 'exec', exec });
    let typed = '';
    b.stdin.on('data', (chunk: Buffer) => {
      typed += chunk.toString();
    });
    await once(b.stdin, 'end');
    assert.is(typed, 'early');
    b.server.connectionLost();
    for (let i = 0; i < 100; i++) b.server.receive(`unknown-${i}`, new Uint8Array(300_000));
    assert.is(b.server.open, 0);
  });

  it('drops the engine’s connection when the user leaves', async () => {
    const b = new Bench().open({ kind: 'attach', exec });
    await until('the attach', () => b.calls.length > 0);
    await new Promise((r) => setImmediate(r));
    b.hub.close();
    await until('the close', () => b.closed > 0);
    assert.is(b.server.open, 0);
  });

  it('drops it also when the user leaves before it is there', async () => {
    const b = new Bench().open({ kind: 'exec', exec });
    b.hub.close();
    await until('the close', () => b.closed > 0);
  });

  it('ends all streams with the connection', async () => {
    const b = new Bench().open({ kind: 'exec', exec });
    await until('the exec', () => b.calls.length > 0);
    b.server.connectionLost();
    await until('the close', () => b.closed > 0);
    assert.is(b.server.open, 0);
  });

  const refusals: readonly [string, Partial<OpenMessage>, StreamContainer[], string][] = [
    ['a pod it does not have', { podUid: 'other' }, [container], 'NotFound'],
    ['a container it does not have', { container: 'x' }, [container], 'BadRequest'],
    ['a pod without containers yet', {}, [], 'BadRequest'],
    [
      'exec in a container that is over',
      { kind: 'exec', exec },
      [{ ...container, running: false }],
      'BadRequest',
    ],
    ['exec of nothing', { kind: 'exec', exec: { ...exec, command: [] } }, [container], 'BadRequest'],
    ['the log of no container before', { log: { previous: true } }, [without(container)], 'BadRequest'],
    ['port 0', { kind: 'port' }, [container], 'BadRequest'],
  ];
  for (const [name, message, containers, reason] of refusals) {
    it(`refuses ${name}`, async () => {
      const b = new Bench();
      b.containers = containers;
      assert.is((await b.open(message).ended()).reason, reason);
      assert.is(b.server.open, 0);
    });
  }

  it('serves no more than its limit, and one id once', async () => {
    const b = new Bench(1).open({ kind: 'exec', exec }).open({ kind: 'exec', exec });
    await until('the exec', () => b.calls.length === 1);
    const frames: string[] = [];
    b.hub.receive = (frame) => void frames.push(Buffer.from(frame).subarray(5).toString());
    b.open({ stream: 's2' });
    assert.match(frames[0] ?? '', 'TooManyRequests');
    assert.is(b.server.open, 1);
    b.server.connectionLost();
  });

  it('forwards a port both ways, each way ended on its own', async () => {
    const echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
      socket.on('end', () => socket.end('bye'));
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const b = new Bench().open({ kind: 'port', port: (echo.address() as AddressInfo).port });
    await b.hub.write('data', bytes('hello '));
    b.hub.end('data');
    assert.equal(await b.ended(), {});
    assert.is(b.got['data'], 'HELLO bye');
    assert.equal(b.ends, ['data']);
    echo.close();
  });

  it('says why a port cannot be reached', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    const end = await new Bench().open({ kind: 'port', port }).ended();
    assert.is(end.reason, 'ServiceUnavailable');
    assert.match(end.message ?? '', 'ECONNREFUSED');
  });
});

function without(c: StreamContainer): StreamContainer {
  const { previousId: _previousId, ...rest } = c;
  return rest;
}
