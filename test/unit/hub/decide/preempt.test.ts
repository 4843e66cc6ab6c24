import * as assert from 'uvu/assert';
import {
  leastHarm,
  type PossibleVictim,
  planVictims,
  type VictimPlan,
} from '../../../../hub/decide/preempt.ts';
import { spec } from '../../../spec.ts';

const victim = (uid: string, priority: number, parts: Partial<PossibleVictim> = {}): PossibleVictim => ({
  uid,
  priority,
  startedAtMs: 0,
  guarded: false,
  ...parts,
});

/** A node of `room` for which every pod takes one, and on which `there` are; `more` takes what it is told. */
function plan(room: number, there: readonly PossibleVictim[], newcomer = 1): string | undefined {
  const present = new Set(there.map((v) => v.uid));
  const planned = planVictims('n', there, {
    remove: (uid) => present.delete(uid),
    putBack: (uid) => present.add(uid),
    fits: () => present.size + newcomer <= room,
  });
  return planned?.victims.map((v) => v.uid).join('');
}

spec('who has to leave a node', (it) => {
  const cases: readonly [string, number, readonly PossibleVictim[], number, string | undefined][] = [
    ['nobody when there is room', 3, [victim('a', 0), victim('b', 0)], 1, ''],
    ['the least important', 2, [victim('a', 5), victim('b', 1)], 1, 'b'],
    ['the youngest of equals', 2, [victim('a', 1, { startedAtMs: 9 }), victim('b', 1)], 1, 'a'],
    ['a guarded one last', 2, [victim('a', 1, { guarded: true }), victim('b', 5)], 1, 'b'],
    ['as many as it takes', 3, [victim('a', 1), victim('b', 2), victim('c', 3)], 2, 'ba'],
    ['not possible', 1, [victim('a', 1)], 2, undefined],
  ];
  for (const [name, room, there, newcomer, expected] of cases) {
    it(name, () => assert.is(plan(room, there, newcomer), expected));
  }
});

spec('which node', (it) => {
  const on = (node: string, ...victims: PossibleVictim[]): VictimPlan => ({
    node,
    victims,
    violations: victims.filter((v) => v.guarded).length,
  });
  const cases: readonly [string, readonly VictimPlan[], string][] = [
    [
      'fewest budgets overstepped',
      [on('a', victim('x', 1, { guarded: true })), on('b', victim('y', 9))],
      'b',
    ],
    [
      'least important most important',
      [on('a', victim('x', 9)), on('b', victim('y', 5), victim('z', 5))],
      'b',
    ],
    ['smallest sum', [on('a', victim('x', 5), victim('y', 4)), on('b', victim('z', 5), victim('u', 1))], 'b'],
    ['fewest victims', [on('a', victim('x', 5), victim('y', -5)), on('b', victim('z', 5))], 'b'],
    [
      'latest start',
      [on('a', victim('x', 5, { startedAtMs: 1 })), on('b', victim('y', 5, { startedAtMs: 2 }))],
      'b',
    ],
    ['by name at last', [on('b', victim('x', 5)), on('a', victim('y', 5))], 'a'],
    ['one without victims before all', [on('a', victim('x', -5)), on('b')], 'b'],
  ];
  for (const [name, plans, expected] of cases) {
    it(name, () => {
      assert.is(leastHarm(plans)?.node, expected);
      assert.is(leastHarm(plans.toReversed())?.node, expected);
    });
  }

  it('is none when there is no plan', () => assert.is(leastHarm([]), undefined));
});
