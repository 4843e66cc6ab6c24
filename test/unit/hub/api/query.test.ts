import * as assert from 'uvu/assert';
import { flag } from '../../../../hub/api/query.ts';
import { spec } from '../../../spec.ts';

const CASES = [
  ['', false],
  ['watch=0', false],
  ['watch=false', false],
  ['watch=False', false],
  ['watch', true],
  ['watch=', true],
  ['watch=1', true],
  ['watch=true', true],
  ['watch=True', true],
  ['watch=yes', true],
] as const;

spec('flag', (it) => {
  for (const [query, expected] of CASES)
    it(`"${query}" is ${expected}, as Kubernetes reads it`, () =>
      assert.is(flag(new URLSearchParams(query), 'watch'), expected));
});
