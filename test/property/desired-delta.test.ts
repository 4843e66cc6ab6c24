import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { canonicalJson, contentHash } from '../../hub/decide/content-hash.ts';
import { type HeldIndex, indexOf, planDesired } from '../../hub/decide/desired-delta.ts';
import { encodeMessage } from '../../protocol/wire/decode.ts';
import type { DesiredMessage, Item } from '../../protocol/wire/messages.ts';
import { spec } from '../spec.ts';

const MAX_BYTES = 4_096;

const anyItems = fc
  .uniqueArray(
    fc.record({
      name: fc.integer({ min: 0, max: 12 }),
      text: fc.string({ maxLength: 600, unit: 'grapheme' }),
    }),
    { selector: (i) => i.name, maxLength: 12 },
  )
  .map(
    (list) => new Map(list.map(({ name, text }) => [`secret/ns/${name}`, item(`secret/ns/${name}`, text)])),
  );

function item(key: string, text: string): Item {
  const body = {
    metadata: { name: key, uid: key, resourceVersion: '', creationTimestamp: '' },
    data: { text },
  };
  return { key, rev: contentHash(body), kind: 'secret', body };
}

const indexed = (items: ReadonlyMap<string, Item>, gen: number): HeldIndex => ({
  gen,
  index: new Map([...items.values()].map((i) => [i.key, i.rev])),
});

/** What a device holds after the messages; throws when it could not follow. */
function follow(held: ReadonlyMap<string, Item>, messages: readonly DesiredMessage[]): Map<string, Item> {
  const content = new Map(held);
  let result = new Map(held);
  for (const message of messages) {
    for (const i of message.items) content.set(i.key, i);
    if (message.more === true) continue;
    const revs = new Map(
      message.base === null ? [] : [...result.values()].map((i) => [i.key, i.rev] as const),
    );
    for (const [key, rev] of Object.entries(message.set)) revs.set(key, rev);
    for (const key of message.del) revs.delete(key);
    result = new Map();
    for (const [key, rev] of revs) {
      const found = content.get(key);
      if (found?.rev !== rev) throw new Error(`the device lacks the content of ${key}`);
      result.set(key, found);
    }
  }
  return result;
}

spec('planDesired', (it) => {
  it('brings any device from anything it holds to anything it should hold, within the packet size', () => {
    fc.assert(
      fc.property(anyItems, anyItems, fc.boolean(), (held, wanted, full) => {
        const before = indexed(held, 5);
        const messages = planDesired(before, wanted, { cluster: 'c', gen: 7, full, maxBytes: MAX_BYTES });
        const after = follow(held, messages);
        assert.equal([...after.keys()].sort(), [...wanted.keys()].sort());
        for (const [key, i] of wanted) assert.is(after.get(key)?.rev, i.rev);
        for (const message of messages) {
          if (message.items.length > 1) assert.ok(encodeMessage(message).length <= MAX_BYTES);
          assert.is(message.base, full ? null : 5);
        }
        const settled = { gen: 7, index: indexOf(before, wanted) };
        assert.equal(
          planDesired(settled, wanted, { cluster: 'c', gen: 8, full: false, maxBytes: MAX_BYTES }),
          [],
        );
      }),
    );
  });

  it('never takes the item of the node itself away', () => {
    const held: HeldIndex = {
      gen: 1,
      index: new Map([
        ['node', 'r1'],
        ['pod/a', 'r2'],
      ]),
    };
    const [message] = planDesired(held, new Map(), {
      cluster: 'c',
      gen: 2,
      full: false,
      maxBytes: MAX_BYTES,
    });
    assert.equal(message?.del, ['pod/a']);
  });
});

spec('contentHash', (it) => {
  it('is equal for equal content in any order, and differs otherwise', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (a, b) => {
          const reversed = Object.fromEntries(Object.entries(a).toReversed());
          assert.is(contentHash(reversed), contentHash(a));
          if (canonicalJson(a) !== canonicalJson(b)) assert.is.not(contentHash(a), contentHash(b));
        },
      ),
    );
  });
});
