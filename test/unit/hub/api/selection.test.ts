import * as assert from 'uvu/assert';
import { parseFieldSelector, selection } from '../../../../hub/api/selection.ts';
import { kinds } from '../../../../protocol/kinds/index.ts';
import type { KindSpec } from '../../../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { spec } from '../../../spec.ts';

function kind(name: string): KindSpec {
  const found = kinds.find((k) => k.kind === name);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
}

const pod = {
  metadata: { name: 'a', namespace: 'n', labels: { app: 'web' } },
  spec: { nodeName: 'worker-1' },
  status: { phase: 'Running' },
} as unknown as KubeObject;

const CASES = [
  ['', '', true],
  ['app=web', '', true],
  ['app!=web', '', false],
  ['other notin (x)', '', true],
  ['', 'metadata.name=a', true],
  ['', 'metadata.name==a,metadata.namespace!=n', false],
  ['', 'spec.nodeName=worker-1,status.phase=Running', true],
  ['', 'spec.nodeName=', false],
  ['app=web', 'status.phase!=Running', false],
] as const;

spec('selection', (it) => {
  for (const [labels, fields, expected] of CASES)
    it(`${labels} ${fields}`, () => {
      assert.is(selection(kind('Pod'), labels, fields)?.(pod) ?? true, expected);
    });

  it('gives no filter for nothing', () => assert.is(selection(kind('Pod'), '', ''), undefined));

  it('refuses what it cannot read', () => {
    assert.throws(() => selection(kind('Pod'), 'a=(', ''), /unable to parse requirement/);
    assert.throws(
      () => selection(kind('Pod'), '', 'spec.color=red'),
      /field label not supported: spec.color/,
    );
    assert.throws(() => selection(kind('ConfigMap'), '', 'data=x'), /"data" is not a known field selector/);
    assert.throws(() => selection(kind('Pod'), '', 'constructor=x'), /field label not supported/);
  });
});

spec('parseFieldSelector', (it) => {
  it('takes escaped characters literally', () => {
    assert.equal(parseFieldSelector('a=x\\,y\\=z,b!=c'), [
      { field: 'a', value: 'x,y=z', equal: true },
      { field: 'b', value: 'c', equal: false },
    ]);
  });

  it('refuses terms without an operator', () => {
    assert.throws(() => parseFieldSelector('name'), /can't understand 'name'/);
  });
});
