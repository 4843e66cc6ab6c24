import { deflateRawSync, deflateSync, inflateSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { spdyDictionary } from '../../../../../hub/api/spdy/dictionary.ts';
import {
  HeaderReader,
  HeaderWriter,
  parseHeaders,
  plainHeaders,
} from '../../../../../hub/api/spdy/header-block.ts';
import { SpdyError } from '../../../../../hub/api/spdy/spdy-error.ts';
import { spec } from '../../../../spec.ts';

const isBadHeaders = (error: unknown): boolean => error instanceof SpdyError && error.reason === 'BadHeaders';

async function refusal(attempt: Promise<unknown>): Promise<unknown> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    return error;
  }
}

spec('SPDY header blocks', (it) => {
  it('reads what it writes, block after block', async () => {
    const writer = new HeaderWriter();
    const reader = new HeaderReader();
    for (const entries of [
      [],
      [['streamtype', 'error']],
      [
        ['a', ''],
        ['b', 'ä'.repeat(20_000)],
      ],
    ] as const) {
      const headers = new Map<string, string>(entries);
      assert.equal([...(await reader.read(writer.write(headers)))], [...headers]);
    }
    reader.close();
  });

  it('reads what is compressed with the dictionary, and lowers the names', async () => {
    const reader = new HeaderReader();
    const plain = plainHeaders(
      new Map([
        ['StreamType', 'data'],
        ['port', '80'],
      ]),
    );
    const headers = await reader.read(deflateSync(plain, { dictionary: spdyDictionary() }));
    assert.equal(
      [...headers],
      [
        ['streamtype', 'data'],
        ['port', '80'],
      ],
    );
    reader.close();
  });

  it('writes what any zlib reads', () => {
    const block = new HeaderWriter().write(new Map([['k', 'v']]));
    // An unfinished stream, as every block of a session but the last is.
    const plain = inflateSync(block, { finishFlush: 2 });
    assert.equal([...parseHeaders(plain)], [['k', 'v']]);
  });

  const broken = [
    ['garbage', Buffer.from('no zlib at all')],
    ['raw deflate', deflateRawSync(plainHeaders(new Map()))],
    ['a bomb', deflateSync(Buffer.alloc(10_000_000))],
    ['a block cut short', deflateSync(Buffer.from([0, 0, 0, 1, 0, 0, 0, 9, 65]))],
    ['too many headers', deflateSync(Buffer.from([0xff, 0xff, 0xff, 0xff]))],
    ['nothing', Buffer.alloc(0)],
  ] as const;
  for (const [name, block] of broken)
    it(`refuses ${name}`, async () => {
      const reader = new HeaderReader();
      assert.ok(isBadHeaders(await refusal(reader.read(block))));
      reader.close();
      assert.ok(isBadHeaders(await refusal(reader.read(block))), 'and stays closed');
    });
});
