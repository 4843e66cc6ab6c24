import * as assert from 'uvu/assert';
import {
  applyDesired,
  type HeldState,
  indexOf,
  NOTHING_HELD,
} from '../../../../edge-agent/decide/desired-step.ts';
import type { DesiredMessage, Item } from '../../../../protocol/wire/messages.ts';
import { fullSet, podItem } from '../../../build/desired.ts';
import { spec } from '../../../spec.ts';

const held = (gen: number, ...items: Item[]): HeldState => ({
  cluster: 'c1',
  gen,
  items: new Map(items.map((i) => [i.key, i])),
});
const delta = (base: number, gen: number, over: Partial<DesiredMessage>): DesiredMessage =>
  fullSet(gen, [], { base, set: {}, ...over });

const a = podItem('a');
const b = podItem('b');
const b2 = podItem('b', '2');

spec('applyDesired', (it) => {
  const cases: readonly [string, HeldState, DesiredMessage, readonly Item[], string][] = [
    [
      'takes a first full set',
      NOTHING_HELD,
      fullSet(5, [a]),
      [],
      'accept gen 5 holds pod/a@1; put pod/a del ',
    ],
    [
      'takes away what a full set no longer names',
      held(5, a, b),
      fullSet(6, [a]),
      [],
      'accept gen 6 holds pod/a@1; put  del pod/b',
    ],
    [
      'needs no content for what it holds',
      held(5, a, b),
      fullSet(6, [a, b2], { items: [b2] }),
      [],
      'accept gen 6 holds pod/a@1,pod/b@2; put pod/b del ',
    ],
    [
      'follows a delta on its own generation',
      held(5, a),
      delta(5, 7, { items: [b], set: { 'pod/b': '1' } }),
      [],
      'accept gen 7 holds pod/a@1,pod/b@1; put pod/b del ',
    ],
    [
      'follows a removal',
      held(5, a, b),
      delta(5, 6, { del: ['pod/b'] }),
      [],
      'accept gen 6 holds pod/a@1; put  del pod/b',
    ],
    [
      'asks again for a delta on another generation',
      held(5, a),
      delta(4, 7, { del: ['pod/a'] }),
      [],
      'sync OtherBase',
    ],
    [
      'asks again for a delta that goes back',
      held(5, a),
      delta(5, 4, { del: ['pod/a'] }),
      [],
      'sync OtherBase',
    ],
    [
      'asks again when content is missing',
      held(5, a),
      fullSet(6, [a, b], { items: [] }),
      [],
      'sync MissingContent',
    ],
    [
      'asks again when the content is of another revision',
      held(5, a),
      fullSet(6, [a, b2], { items: [b] }),
      [],
      'sync MissingContent',
    ],
    [
      'uses content staged before',
      held(5, a),
      fullSet(6, [a, b], { items: [] }),
      [b],
      'accept gen 6 holds pod/a@1,pod/b@1; put pod/b del ',
    ],
    ['stages without acting', held(5, a), fullSet(6, [b], { set: {}, more: true }), [], 'stage pod/b'],
    ['refuses another cluster', held(5, a), fullSet(9, [], { cluster: 'c2' }), [], 'refuse OtherCluster'],
    [
      'refuses to stage for another cluster',
      held(5, a),
      fullSet(9, [b], { cluster: 'c2', more: true }),
      [],
      'refuse OtherCluster',
    ],
    ['refuses an older generation', held(5, a), fullSet(4, []), [], 'refuse OlderGeneration'],
    [
      'takes its own generation again without a change',
      held(5, a),
      fullSet(5, [a]),
      [],
      'accept gen 5 holds pod/a@1; put  del ',
    ],
    ['takes an empty set at its word', held(5, a), fullSet(6, []), [], 'accept gen 6 holds ; put  del pod/a'],
  ];
  for (const [name, state, message, staged, expected] of cases) {
    it(name, () => assert.is(show(applyDesired(state, message, staged)), expected));
  }

  it('treats keys of the language as any other', () => {
    const odd: Item = { ...b, key: '__proto__' };
    const message = JSON.parse(
      JSON.stringify(fullSet(6, [a])).replace('"set":{', '"set":{"__proto__":"1",'),
    ) as DesiredMessage;
    assert.is(show(applyDesired(held(5, a), message)), 'sync MissingContent');
    const step = applyDesired(held(5, a), { ...message, items: [odd] });
    assert.is(step.do, 'accept');
    if (step.do === 'accept') assert.equal(Object.keys(indexOf(step.next)).sort(), ['__proto__', 'pod/a']);
  });
});

function show(step: ReturnType<typeof applyDesired>): string {
  switch (step.do) {
    case 'accept': {
      const holds = Object.entries(indexOf(step.next)).map(([k, r]) => `${k}@${r}`);
      const put = step.put.map((i) => i.key);
      return `accept gen ${step.next.gen} holds ${holds.join()}; put ${put.join()} del ${step.del.join()}`;
    }
    case 'stage':
      return `stage ${step.items.map((i) => i.key).join()}`;
    case 'sync':
      return `sync ${step.why}`;
    case 'refuse':
      return `refuse ${step.reason}`;
  }
}
