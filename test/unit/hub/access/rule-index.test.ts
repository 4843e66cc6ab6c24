import * as assert from 'uvu/assert';
import { RuleIndex } from '../../../../hub/access/rule-index.ts';
import { spec } from '../../../spec.ts';

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

spec('RuleIndex', (it) => {
  it('finds rules beyond what it takes in', () => {
    const index = new RuleIndex<number>();
    for (let i = 0; i < 300; i++)
      index.add({ verbs: ['get'], apiGroups: [''], resources: names(`r${i}-`, 400) }, i);
    for (const i of [0, 150, 299])
      for (const j of [0, 399]) assert.is(index.find({ verb: 'get', group: '', resource: `r${i}-${j}` }), i);
    assert.is(index.find({ verb: 'list', group: '', resource: 'r299-0' }), undefined);
    assert.is(index.find({ verb: 'get', group: 'apps', resource: 'r299-0' }), undefined);
  });

  it('tells whose rule it is, of parts, names and paths too', () => {
    const index = new RuleIndex<string>();
    index.add({ verbs: ['get'], apiGroups: [''], resources: ['pods/log'] }, 'log');
    index.add({ verbs: ['*'], apiGroups: ['*'], resources: ['*/scale'] }, 'scale');
    index.add({ verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] }, 'a');
    index.add({ verbs: ['get'], nonResourceURLs: ['/metrics'] }, 'metrics');
    index.add({ verbs: ['get'], nonResourceURLs: ['/open/*'] }, 'open');
    const secret = { verb: 'get', group: '', resource: 'secrets' };
    assert.is(index.find({ verb: 'get', group: '', resource: 'pods', subresource: 'log' }), 'log');
    assert.is(index.find({ verb: 'get', group: '', resource: 'pods' }), undefined);
    assert.is(index.find({ verb: 'patch', group: 'x', resource: 'y', subresource: 'scale' }), 'scale');
    assert.is(index.find({ ...secret, name: 'a' }), 'a');
    assert.is(index.find({ ...secret, name: 'b' }), undefined);
    assert.is(index.find(secret), undefined);
    assert.is(index.find({ verb: 'get', path: '/metrics' }), 'metrics');
    assert.is(index.find({ verb: 'get', path: '/open/x' }), 'open');
    assert.is(index.find({ verb: 'get', path: '/other' }), undefined);
  });
});
