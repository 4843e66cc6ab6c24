import * as assert from 'uvu/assert';
import { apiServiceSpec, apiSlice, apiSubsets } from '../../../../hub/decide/api-service.ts';
import { spec } from '../../../spec.ts';

const place = (...hosts: string[]) => ({ hosts, port: 6443, serviceCidr: '10.96.0.0/16' });

spec("the API's own Service", (it) => {
  it('has the first address of the range and leads from 443 to the port of the API', () => {
    assert.equal(apiServiceSpec(place()), {
      type: 'ClusterIP',
      clusterIP: '10.96.0.1',
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
      sessionAffinity: 'None',
    });
  });

  it('has the addresses the hub is reached at as endpoints, each once and in order', () => {
    const two = place('192.0.2.20', 'hub.shop.lan', '192.0.2.10', '192.0.2.20', '127.0.0.1', '2001:db8::1');
    assert.equal(apiSubsets(two), [
      {
        addresses: [{ ip: '192.0.2.10' }, { ip: '192.0.2.20' }],
        ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
      },
    ]);
    assert.equal(apiSlice(two), {
      endpoints: [
        { addresses: ['192.0.2.10'], conditions: { ready: true } },
        { addresses: ['192.0.2.20'], conditions: { ready: true } },
      ],
      ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
    });
  });

  it('has none when the hub is told by names or to itself alone', () => {
    assert.equal(apiSubsets(place('hub.shop.lan', '127.0.0.1')), []);
    assert.equal(apiSlice(place('127.8.0.1')).endpoints, []);
  });
});
