import * as assert from 'uvu/assert';
import { DeviceStreams } from '../../../../hub/fleet/streams.ts';
import { StreamEndpoint } from '../../../../kit/stream-endpoint.ts';
import { ApiError } from '../../../../protocol/status.ts';
import type { StreamEnd } from '../../../../protocol/wire/frames.ts';
import { pod } from '../../../build/workloads.ts';
import { settle } from '../../../fakes/manual-clock.ts';
import { MemoryLink } from '../../../fakes/memory-devices.ts';
import { spec } from '../../../spec.ts';

function setUp(): { link: MemoryLink; streams: DeviceStreams; sentFrames: Uint8Array[] } {
  const link = new MemoryLink();
  const sentFrames: Uint8Array[] = [];
  link.sendFrame = (_node, _stream, frame) => void sentFrames.push(frame);
  const streams = new DeviceStreams({ link, isConnected: (node) => node === 'n1', newId: () => 's1' });
  return { link, streams, sentFrames };
}

const listener = (): {
  data: string[];
  ends: StreamEnd[];
  handlers: Parameters<DeviceStreams['open']>[2];
} => {
  const data: string[] = [];
  const ends: StreamEnd[] = [];
  return {
    data,
    ends,
    handlers: {
      onData: (_channel, payload) => void data.push(new TextDecoder().decode(payload)),
      onEnd: () => undefined,
      onClose: (end) => void ends.push(end),
    },
  };
};

/** The device's end: what it is sent comes from `sentFrames`. */
function deviceEnd(link: MemoryLink, node: string, got: string[]): StreamEndpoint {
  return new StreamEndpoint({
    send: (frame) => link.frame(node, 's1', frame),
    onData: (_channel, payload) => void got.push(new TextDecoder().decode(payload)),
    onEnd: () => undefined,
    onResize: () => undefined,
    onClose: () => undefined,
  });
}

spec('DeviceStreams', (it) => {
  it('carries bytes both ways, the announcement first', async () => {
    const { link, streams, sentFrames } = setUp();
    const { data, ends, handlers } = listener();
    const stream = streams.open(pod('p', { node: 'n1' }), { kind: 'exec', container: 'main' }, handlers);
    void stream.write('stdin', new TextEncoder().encode('ls'));
    assert.is(sentFrames.length, 0, 'nothing overtakes the announcement');
    await settle();
    assert.equal(link.sent[0]?.message, {
      t: 'open',
      stream: 's1',
      podUid: 'p',
      kind: 'exec',
      container: 'main',
    });
    const got: string[] = [];
    const device = deviceEnd(link, 'n1', got);
    for (const frame of sentFrames) device.receive(frame);
    assert.equal(got, ['ls']);
    void device.write('stdout', new TextEncoder().encode('hello'));
    device.close({ exitCode: 3 });
    assert.equal(data, ['hello']);
    assert.equal(ends, [{ exitCode: 3 }]);
    assert.is(streams.size, 0);
  });

  it('listens to no other device on its streams', async () => {
    const { link, streams } = setUp();
    const { data, ends, handlers } = listener();
    streams.open(pod('p', { node: 'n1' }), { kind: 'log' }, handlers);
    await settle();
    void deviceEnd(link, 'rogue', []).write('stdout', new TextEncoder().encode('forged'));
    assert.equal([data, ends], [[], []]);
  });

  it('ends with an error when the device is lost', async () => {
    const { streams } = setUp();
    const { ends, handlers } = listener();
    streams.open(pod('p', { node: 'n1' }), { kind: 'log' }, handlers);
    await settle();
    streams.endAll('gone silent', 'n1');
    assert.equal(ends, [{ reason: 'ServiceUnavailable', message: 'gone silent' }]);
  });

  it('refuses pods without a node and devices that are away', () => {
    const { streams } = setUp();
    const reasonOf = (node?: string): string => {
      try {
        streams.open(pod('p', node === undefined ? {} : { node }), { kind: 'log' }, listener().handlers);
        return 'opened';
      } catch (error) {
        return error instanceof ApiError ? error.reason : 'other';
      }
    };
    assert.is(reasonOf(), 'BadRequest');
    assert.is(reasonOf('n2'), 'ServiceUnavailable');
  });
});
