import * as assert from 'uvu/assert';
import { parseResourcePath } from '../../../../hub/api/path.ts';
import { spec } from '../../../spec.ts';

const CASES = [
  ['/api/v1/nodes', { group: '', version: 'v1', resource: 'nodes' }],
  ['/api/v1/nodes/a', { group: '', version: 'v1', resource: 'nodes', name: 'a' }],
  ['/api/v1/pods/', { group: '', version: 'v1', resource: 'pods' }],
  ['/api/v1/namespaces/n', { group: '', version: 'v1', resource: 'namespaces', name: 'n' }],
  [
    '/api/v1/namespaces/n/status',
    { group: '', version: 'v1', resource: 'namespaces', name: 'n', subresource: 'status' },
  ],
  ['/api/v1/namespaces/n/pods', { group: '', version: 'v1', namespace: 'n', resource: 'pods' }],
  [
    '/apis/apps/v1/namespaces/n/deployments/d/scale',
    {
      group: 'apps',
      version: 'v1',
      namespace: 'n',
      resource: 'deployments',
      name: 'd',
      subresource: 'scale',
    },
  ],
  [
    '/api/v1/namespaces/n/pods/p/proxy/a/b',
    {
      group: '',
      version: 'v1',
      namespace: 'n',
      resource: 'pods',
      name: 'p',
      subresource: 'proxy',
      rest: 'a/b',
    },
  ],
  [
    '/api/v1/namespaces/n/events/a%3Ab',
    { group: '', version: 'v1', namespace: 'n', resource: 'events', name: 'a:b' },
  ],
  ['/api/v1', undefined],
  ['/apis/apps/v1', undefined],
  ['/apis/apps', undefined],
  ['/', undefined],
  ['/version', undefined],
  ['/api/v1/nodes/%zz', undefined],
  ['/api/v1/nodes/%2e%2e', undefined],
  ['/api/v1/nodes/%00', undefined],
] as const;

spec('parseResourcePath', (it) => {
  for (const [path, parsed] of CASES) it(path, () => assert.equal(parseResourcePath(path), parsed));
});
