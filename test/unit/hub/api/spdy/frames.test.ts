import * as assert from 'uvu/assert';
import { spdyDictionary } from '../../../../../hub/api/spdy/dictionary.ts';
import {
  encodeSpdy,
  FrameReader,
  MAX_CONTROL_BYTES,
  type SpdyFrame,
} from '../../../../../hub/api/spdy/frames.ts';
import { SpdyError } from '../../../../../hub/api/spdy/spdy-error.ts';
import { spec } from '../../../../spec.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

spec('SPDY frames', (it) => {
  const cases: readonly (readonly [string, string, SpdyFrame])[] = [
    ['data', '00000003 00 000002 6869', { type: 'data', stream: 3, payload: Buffer.from('hi'), fin: false }],
    [
      'the last data',
      '00000003 01 000001 78',
      { type: 'data', stream: 3, payload: Buffer.from('x'), fin: true },
    ],
    ['an empty end', '00000003 01 000000', { type: 'data', stream: 3, payload: Buffer.alloc(0), fin: true }],
    [
      'a new stream',
      '80030001 01 00000c 00000005 00000000 0000 abcd',
      { type: 'syn-stream', stream: 5, block: bytes('abcd'), fin: true },
    ],
    [
      'a reply',
      '80030002 00 000006 00000005 abcd',
      { type: 'syn-reply', stream: 5, block: bytes('abcd'), fin: false },
    ],
    [
      'headers',
      '80030008 00 000005 00000005 ab',
      { type: 'headers', stream: 5, block: bytes('ab'), fin: false },
    ],
    ['a reset', '80030003 00 000008 00000005 00000003', { type: 'rst-stream', stream: 5, status: 3 }],
    ['a ping', '80030006 00 000004 00000007', { type: 'ping', id: 7 }],
    ['a farewell', '80030007 00 000008 00000009 00000001', { type: 'go-away', lastStream: 9, status: 1 }],
  ];
  for (const [name, hex, frame] of cases)
    it(`reads and writes ${name}`, () => {
      const [read, ...more] = new FrameReader().read(bytes(hex));
      assert.equal(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(frame)));
      assert.is(more.length, 0);
      assert.is(encodeSpdy(frame).toString('hex'), bytes(hex).toString('hex'));
    });

  it('skips settings, window updates and what it does not know', () => {
    const hex =
      '80030004 00 000004 00000000 80030009 00 000008 00000001 00001000 800300ff 00 000000 80030006 00 000004 00000001';
    assert.equal([...new FrameReader().read(bytes(hex))], [{ type: 'ping', id: 1 }]);
  });

  it('hands out a large data frame as it comes, and its end once', () => {
    const reader = new FrameReader();
    const first = [...reader.read(bytes('00000001 01 ffffff'))];
    assert.equal(first, []);
    let got = 0;
    let ends = 0;
    for (let left = 0xffffff; left > 0; left -= 65_536)
      for (const frame of reader.read(Buffer.alloc(Math.min(left, 65_536)))) {
        assert.is(frame.type, 'data');
        if (frame.type !== 'data') continue;
        got += frame.payload.length;
        if (frame.fin) ends++;
      }
    assert.equal([got, ends], [0xffffff, 1]);
  });

  const broken = [
    ['another version', '80020001 00 000000', 'BadVersion'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n').toString('hex'), undefined],
    [
      'a control frame above the limit',
      `80030001 00 ${(MAX_CONTROL_BYTES + 1).toString(16).padStart(6, '0')}`,
      'FrameTooLarge',
    ],
    ['a new stream cut short', '80030001 00 000002 0000', 'BadFrame'],
    ['a reset cut short', '80030003 00 000004 00000001', 'BadFrame'],
    ['a ping without a number', '80030006 00 000000', 'BadFrame'],
  ] as const;
  for (const [name, hex, reason] of broken)
    it(`takes ${name} for what it is`, () => {
      const read = (): unknown => [...new FrameReader().read(bytes(hex))];
      if (reason === undefined) assert.not.throws(read);
      else assert.throws(read, (error: unknown) => error instanceof SpdyError && error.reason === reason);
    });

  it('knows the dictionary of the specification', () => {
    let a = 1;
    let b = 0;
    for (const byte of spdyDictionary()) {
      a = (a + byte) % 65_521;
      b = (b + a) % 65_521;
    }
    assert.is((b * 65_536 + a).toString(16), 'e3c6a7c2');
  });
});
