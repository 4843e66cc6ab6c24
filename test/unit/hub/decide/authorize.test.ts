import * as assert from 'uvu/assert';
import { type Ask, accountOfUserName, ruleAllows, urlCovers } from '../../../../hub/decide/authorize.ts';
import type { PolicyRule } from '../../../../protocol/kinds/rbac.ts';
import { spec } from '../../../spec.ts';

const rule = (verbs: string, groups: string, resources: string, names?: string): PolicyRule => ({
  verbs: verbs.split(','),
  apiGroups: groups.split(','),
  resources: resources.split(','),
  ...(names === undefined ? {} : { resourceNames: names === '' ? [] : names.split(',') }),
});
const paths = (verbs: string, ...nonResourceURLs: string[]): PolicyRule => ({
  verbs: verbs.split(','),
  nonResourceURLs,
});
const on = (verb: string, resource: string, more: { group?: string; name?: string } = {}): Ask => {
  const [plural = '', subresource] = resource.split('/');
  return {
    verb,
    group: '',
    resource: plural,
    ...(subresource === undefined ? {} : { subresource }),
    ...more,
  };
};

spec('ruleAllows', (it) => {
  const cases: [string, PolicyRule, Ask, boolean][] = [
    ['verb, group and resource', rule('get', '', 'pods'), on('get', 'pods'), true],
    ['another verb', rule('get', '', 'pods'), on('list', 'pods'), false],
    ['every verb', rule('*', '', 'pods'), on('list', 'pods'), true],
    ['another group', rule('get', 'apps', 'pods'), on('get', 'pods'), false],
    ['every group', rule('get', '*', 'pods'), on('get', 'pods', { group: 'apps' }), true],
    [
      'the core group is not every group',
      rule('get', '', 'pods'),
      on('get', 'pods', { group: 'apps' }),
      false,
    ],
    ['a resource does not include its subresources', rule('get', '', 'pods'), on('get', 'pods/log'), false],
    ['a subresource alone', rule('get', '', 'pods/log'), on('get', 'pods/log'), true],
    ['a subresource is not its resource', rule('get', '', 'pods/log'), on('get', 'pods'), false],
    ['every resource includes subresources', rule('get', '', '*'), on('get', 'pods/log'), true],
    ['a subresource of all', rule('get', '', '*/scale'), on('get', 'deployments/scale'), true],
    ['a subresource of all, another', rule('get', '', '*/scale'), on('get', 'deployments/status'), false],
    ['a subresource of all is not the resource', rule('get', '', '*/scale'), on('get', 'scale'), false],
    ['no stars in the middle', rule('get', '', 'pod*'), on('get', 'pods'), false],
    ['all subresources of one are not a thing', rule('get', '', 'pods/*'), on('get', 'pods/log'), false],
    ['a name', rule('get', '', 'pods', 'a,b'), on('get', 'pods', { name: 'b' }), true],
    ['another name', rule('get', '', 'pods', 'a,b'), on('get', 'pods', { name: 'c' }), false],
    ['no name', rule('list', '', 'pods', 'a'), on('list', 'pods'), false],
    ['an empty list of names', rule('list', '', 'pods', ''), on('list', 'pods'), true],
    ['a path', paths('get', '/healthz'), { verb: 'get', path: '/healthz' }, true],
    ['a path below', paths('get', '/healthz'), { verb: 'get', path: '/healthz/x' }, false],
    ['every continuation', paths('get', '/api/*'), { verb: 'get', path: '/api/v1' }, true],
    ['not the beginning itself', paths('get', '/api/*'), { verb: 'get', path: '/api' }, false],
    ['another verb on a path', paths('get', '*'), { verb: 'post', path: '/' }, false],
    ['resources are not paths', rule('*', '*', '*'), { verb: 'get', path: '/metrics' }, false],
    ['paths are not resources', paths('*', '*'), on('get', 'pods'), false],
  ];
  for (const [name, given, ask, allowed] of cases) it(name, () => assert.is(ruleAllows(given, ask), allowed));

  it('takes many stars for one', () => {
    assert.ok(urlCovers('/a**', '/ab'));
    assert.not(urlCovers('/a*b', '/axb'));
  });

  it('knows service accounts by their user names', () => {
    assert.equal(accountOfUserName('system:serviceaccount:shop:robot'), { namespace: 'shop', name: 'robot' });
    for (const name of [
      'robot',
      'system:serviceaccount:shop',
      'system:serviceaccount::a',
      'system:serviceaccount:a:b:c',
    ])
      assert.is(accountOfUserName(name), undefined, name);
  });
});
