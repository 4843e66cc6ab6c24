import * as assert from 'uvu/assert';
import { gathered, listText } from '../../../../hub/api/send-list.ts';
import { spec } from '../../../spec.ts';

const head = { kind: 'List', metadata: {} };
const items = (count: number): object[] =>
  Array.from({ length: count }, (_, n) => ({ n, text: 'x'.repeat(1000) }));

spec('listText', (it) => {
  for (const count of [0, 1, 500])
    it(`writes a list of ${count} as JSON would`, () => {
      const all = items(count);
      const text = [...listText({ head, field: 'items', items: all })].join('');
      assert.is(text, `${JSON.stringify({ ...head, items: all })}\n`);
    });

  it('makes no more items than the text that was asked for', () => {
    let made = 0;
    function* counted(): Generator<object, void> {
      for (const item of items(500)) {
        made++;
        yield item;
      }
    }
    listText({ head, field: 'rows', items: counted() }).next();
    assert.ok(made > 50 && made < 100, `${made}`);
  });
});

spec('gathered', (it) => {
  it('takes a short list whole', () => {
    const parts = listText({ head, field: 'items', items: items(10) });
    const { text, whole } = gathered(parts, 100_000);
    assert.ok(whole);
    assert.is((JSON.parse(text) as { items: object[] }).items.length, 10);
  });

  it('leaves the rest of a long one', () => {
    const parts = listText({ head, field: 'items', items: items(500) });
    const { text, whole } = gathered(parts, 100_000);
    assert.not.ok(whole);
    assert.is((JSON.parse(text + [...parts].join('')) as { items: object[] }).items.length, 500);
  });
});
