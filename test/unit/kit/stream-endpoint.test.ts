import * as assert from 'uvu/assert';
import { type DataChannel, StreamEndpoint } from '../../../kit/stream-endpoint.ts';
import {
  decodeFrame,
  encodeFrame,
  FRAME_BYTES,
  type StreamEnd,
  WINDOW_BYTES,
} from '../../../protocol/wire/frames.ts';
import { spec } from '../../spec.ts';

interface Side {
  readonly endpoint: StreamEndpoint;
  readonly sent: Uint8Array[];
  readonly got: [DataChannel, string][];
  readonly ends: DataChannel[];
  readonly sizes: [number, number][];
  readonly closes: StreamEnd[];
}

function side(options: { onData?: () => void | Promise<void>; send?: (f: Uint8Array) => void } = {}): Side {
  const s = { sent: [], got: [], ends: [], sizes: [], closes: [] } as Omit<Side, 'endpoint'>;
  const endpoint = new StreamEndpoint({
    send: (frame) => {
      s.sent.push(frame);
      options.send?.(frame);
    },
    onData: (channel, payload) => {
      s.got.push([channel, Buffer.from(payload).toString()]);
      return options.onData?.();
    },
    onEnd: (channel) => void s.ends.push(channel),
    onResize: (width, height) => void s.sizes.push([width, height]),
    onClose: (end) => void s.closes.push(end),
  });
  return { endpoint, ...s };
}

/** Two endpoints joined without loss; `hold` keeps the right side's data unconsumed until it resolves. */
function pair(hold?: () => Promise<void>): [Side, Side] {
  const left: Side = side({ send: (f) => right.endpoint.receive(f) });
  const right: Side = side({
    send: (f) => left.endpoint.receive(f),
    ...(hold ? { onData: hold } : {}),
  });
  return [left, right];
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const sentBytes = (s: Side): number =>
  s.sent.reduce((n, f) => n + (decodeFrame(f)?.channel === 'stdout' ? f.length - 5 : 0), 0);

spec('StreamEndpoint', (it) => {
  it('carries data, ends, sizes and the exit code in order', async () => {
    const [left, right] = pair();
    await left.endpoint.write('stdin', text('hello'));
    left.endpoint.end('stdin');
    left.endpoint.resize(80, 24);
    await right.endpoint.write('stdout', text('world'));
    right.endpoint.close({ exitCode: 3 });
    assert.equal(right.got, [['stdin', 'hello']]);
    assert.equal(right.ends, ['stdin']);
    assert.equal(right.sizes, [[80, 24]]);
    assert.equal(left.got, [['stdout', 'world']]);
    assert.equal(left.closes, [{ exitCode: 3 }]);
    assert.equal(right.closes, [{ exitCode: 3 }]);
  });

  it('splits large writes into frames', async () => {
    const [left, right] = pair();
    await left.endpoint.write('stdout', new Uint8Array(FRAME_BYTES * 2 + 1));
    assert.equal(
      right.got.map(([, s]) => s.length),
      [FRAME_BYTES, FRAME_BYTES, 1],
    );
  });

  it('stops at the window until the receiver has consumed, and sends the end after the data', async () => {
    const releases: (() => void)[] = [];
    const [left, right] = pair(() => new Promise((r) => void releases.push(r)));
    let done = false;
    const write = left.endpoint.write('stdout', new Uint8Array(WINDOW_BYTES + FRAME_BYTES)).then(() => {
      done = true;
    });
    left.endpoint.end('stdout');
    await new Promise((r) => setImmediate(r));
    assert.is(sentBytes(left), WINDOW_BYTES);
    assert.is(done, false);
    assert.equal(right.ends, []);
    for (const release of releases) release();
    await write;
    assert.is(sentBytes(left), WINDOW_BYTES + FRAME_BYTES);
    assert.equal(right.ends, ['stdout']);
  });

  it('sends no credit for an interactive trickle', async () => {
    const [left, right] = pair();
    for (let i = 0; i < 100; i++) await left.endpoint.write('stdin', text('k'));
    assert.is(right.sent.length, 0);
  });

  it('closes on both sides after a gap', () => {
    const [left, right] = pair();
    right.endpoint.receive(encodeFrame('stdin', 5, text('x')));
    assert.is(right.closes[0]?.reason, 'InternalError');
    assert.is(left.closes[0]?.reason, 'InternalError');
    assert.equal(right.got, []);
  });

  it('cuts off a peer that ignores the window', () => {
    const s = side({ onData: () => new Promise(() => undefined) });
    for (let i = 0; i <= WINDOW_BYTES / FRAME_BYTES; i++) {
      s.endpoint.receive(encodeFrame('stdin', i, new Uint8Array(FRAME_BYTES)));
    }
    assert.match(s.closes[0]?.message ?? '', 'window');
    assert.is(s.got.length, WINDOW_BYTES / FRAME_BYTES);
  });

  const broken: [string, Uint8Array][] = [
    ['too short', new Uint8Array(3)],
    ['unknown channel', Uint8Array.of(99, 0, 0, 0, 0)],
    ['credit out of nothing', encodeFrame('credit', 0, Uint8Array.of(0, 0, 1, 0))],
    ['short credit', encodeFrame('credit', 0, Uint8Array.of(1))],
    ['end of no channel', encodeFrame('end', 0, Uint8Array.of(7))],
    ['size that is none', encodeFrame('resize', 0, text('{"Width":-1,"Height":"2"}'))],
    ['oversized frame', encodeFrame('stdin', 0, new Uint8Array(FRAME_BYTES + 1))],
  ];
  for (const [name, bytes] of broken) {
    it(`closes with an error on a ${name}`, () => {
      const s = side();
      s.endpoint.receive(bytes);
      assert.is(s.closes.length, 1);
      assert.is(s.closes[0]?.reason, 'InternalError');
      assert.is(decodeFrame(s.sent.at(-1) ?? EMPTY)?.channel, 'close');
    });
  }
  const EMPTY = new Uint8Array(0);

  it('takes an unreadable close frame for an error', () => {
    const s = side();
    s.endpoint.receive(encodeFrame('close', 0, text('nonsense')));
    assert.is(s.closes[0]?.reason, 'InternalError');
  });

  it('refuses data after the end of its channel', () => {
    const s = side();
    s.endpoint.receive(encodeFrame('end', 0, Uint8Array.of(0)));
    s.endpoint.receive(encodeFrame('stdin', 1, text('late')));
    assert.is(s.closes[0]?.reason, 'InternalError');
    assert.equal(s.got, []);
  });

  it('is closed once, and drops what waits', async () => {
    const [left, right] = pair(() => new Promise(() => undefined));
    const write = left.endpoint.write('stdout', new Uint8Array(WINDOW_BYTES * 2));
    left.endpoint.close();
    left.endpoint.close({ reason: 'Late' });
    await write;
    await left.endpoint.write('stdout', text('x'));
    left.endpoint.end('stdout');
    assert.equal(left.closes, [{}]);
    assert.equal(right.closes, [{}]);
    assert.is(left.endpoint.closed, true);
  });

  it('ends with an error when the sink rejects', async () => {
    const [left, right] = pair(() => Promise.reject(new Error('disk full')));
    await left.endpoint.write('stdin', text('x'));
    await new Promise((r) => setImmediate(r));
    assert.match(left.closes[0]?.message ?? '', 'disk full');
    assert.is(right.closes.length, 1);
  });

  it('ends when the wire throws', async () => {
    const s = side({
      send: () => {
        throw new Error('offline');
      },
    });
    await s.endpoint.write('stdin', text('x'));
    assert.is(s.closes[0]?.reason, 'ServiceUnavailable');
  });
});
