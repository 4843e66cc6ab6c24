import * as assert from 'uvu/assert';
import { place } from '../../../../hub/decide/place.ts';
import { priceOf } from '../../../../hub/decide/scores/price.ts';
import { live, nodeOf, podOf } from '../../../build/placement.ts';
import { spec } from '../../../spec.ts';

spec('the price of a node', (it) => {
  const readings: readonly [string | undefined, number | undefined][] = [
    ['0', 0],
    ['0.10', 0.1],
    ['12', 12],
    ['', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['.5', undefined],
    ['cheap', undefined],
    ['Infinity', undefined],
    [undefined, undefined],
  ];
  it('is read as a decimal number from 0', () => {
    for (const [text, price] of readings)
      assert.is(priceOf(text === undefined ? {} : { 'coxswain.dev/price': text }), price, text);
  });

  const idle = live(0.2);
  const cases: readonly [string, [number | undefined, number][], string][] = [
    [
      'prefers the cheaper of equals',
      [
        [0.3, 0.2],
        [0.2, 0.2],
      ],
      'b',
    ],
    [
      'prefers free to cheap',
      [
        [0.1, 0.2],
        [0, 0.2],
      ],
      'b',
    ],
    [
      'takes a node without price for the mean of the others: better than the dearest',
      [
        [3, 0.2],
        [undefined, 0.2],
        [2, 0.2],
      ],
      'c',
    ],
    [
      'and worse than the cheapest',
      [
        [undefined, 0.2],
        [1, 0.2],
        [3, 0.2],
      ],
      'b',
    ],
    [
      'is decided by price between about equally busy nodes',
      [
        [2, 0.2],
        [1, 0.4],
      ],
      'b',
    ],
    [
      'never sends a pod to an overloaded node',
      [
        [9, 0.3],
        [0, 0.85],
      ],
      'a',
    ],
    [
      'nor away from one that is much less busy',
      [
        [9, 0.1],
        [0, 0.75],
      ],
      'a',
    ],
    [
      'means nothing where no node has one',
      [
        [undefined, 0.2],
        [undefined, 0.2],
      ],
      'a',
    ],
    [
      'means nothing where all are free',
      [
        [0, 0.2],
        [0, 0.2],
      ],
      'a',
    ],
  ];
  for (const [name, nodes, expected] of cases) {
    it(name, () => {
      const states = nodes.map(([price, cpu], i) =>
        nodeOf('abc'[i] ?? 'd', { live: cpu === 0.2 ? idle : live(cpu), price }),
      );
      for (const order of [states, states.toReversed()]) {
        const placed = place(podOf(), order);
        assert.is(placed.ok ? placed.node : 'nowhere', expected);
      }
    });
  }
});
