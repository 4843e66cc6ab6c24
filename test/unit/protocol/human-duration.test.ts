import * as assert from 'uvu/assert';
import { ageSince, humanDuration } from '../../../protocol/human-duration.ts';
import { spec } from '../../spec.ts';

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

spec('humanDuration', (it) => {
  const cases: readonly (readonly [number, string])[] = [
    [-3 * S, '<invalid>'],
    [-1 * S, '0s'],
    [0, '0s'],
    [119 * S, '119s'],
    [2 * M, '2m'],
    [2 * M + 5 * S, '2m5s'],
    [10 * M + 5 * S, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [7 * H + 59 * M, '7h59m'],
    [47 * H, '47h'],
    [2 * D, '2d'],
    [2 * D + 4 * H, '2d4h'],
    [8 * D + 4 * H, '8d'],
    [729 * D, '729d'],
    [2 * 365 * D, '2y'],
    [2 * 365 * D + 3 * D, '2y3d'],
    [9 * 365 * D + 3 * D, '9y'],
    [Number.NaN, '<invalid>'],
  ];
  for (const [ms, text] of cases) it(`${ms} ms is ${text}`, () => assert.is(humanDuration(ms), text));

  it('says that an absent or unreadable time is unknown', () => {
    assert.is(ageSince(undefined, 0), '<unknown>');
    assert.is(ageSince('soon', 0), '<unknown>');
    assert.is(ageSince('1970-01-01T00:00:00Z', 5 * S), '5s');
  });
});
