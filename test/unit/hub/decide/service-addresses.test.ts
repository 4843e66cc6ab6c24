import * as assert from 'uvu/assert';
import { giveServiceAddresses, NODE_PORTS } from '../../../../hub/decide/service-addresses.ts';
import { type AddressRange, contains, parseRange } from '../../../../protocol/ipv4.ts';
import type { Service } from '../../../../protocol/kinds/network.ts';
import { spec } from '../../../spec.ts';

function rangeOf(cidr: string): AddressRange {
  const range = parseRange(cidr);
  if (range === undefined) throw new Error(cidr);
  return range;
}

const RANGE = rangeOf('10.96.0.0/16');
const SMALL = rangeOf('10.96.0.0/28');

let made = 0;
function service(of: Partial<Service['spec']> = {}): Service {
  made += 1;
  const uid = `${made.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${made}`, namespace: 'default', uid, resourceVersion: '', creationTimestamp: '' },
    spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }], ...of },
  };
}

spec('giveServiceAddresses', (it) => {
  it('gives every service an address of its own, and the same service the same one', () => {
    const all: Service[] = [];
    for (let i = 0; i < 300; i += 1) {
      const next = service();
      assert.equal(giveServiceAddresses(next, all, RANGE), []);
      assert.ok(contains(RANGE, next.spec.clusterIP ?? ''));
      assert.equal(next.spec.clusterIPs, [next.spec.clusterIP]);
      all.push(next);
    }
    assert.is(new Set(all.map((s) => s.spec.clusterIP)).size, 300);
    const again = structuredClone(all[7] ?? service());
    assert.equal(giveServiceAddresses(again, all, RANGE), []);
    assert.equal(again, all[7]);
  });

  it('leaves the lower band to people until the rest is used up, and says when nothing is left', () => {
    const all: Service[] = [];
    for (let i = 0; i < 13; i += 1) {
      const next = service();
      assert.equal(giveServiceAddresses(next, all, SMALL), [], `address ${i}`);
      all.push(next);
    }
    assert.not.ok(all.some((s) => ['10.96.0.0', '10.96.0.1', '10.96.0.15'].includes(s.spec.clusterIP ?? '')));
    const [error] = giveServiceAddresses(service(), all, SMALL);
    assert.match(error?.message ?? '', 'range is full');
    const wide = service();
    giveServiceAddresses(wide, [], RANGE);
    assert.ok(
      (wide.spec.clusterIP ?? '').split('.')[2] !== '0',
      `${wide.spec.clusterIP} is of the lower band`,
    );
  });

  it('takes the address asked for when it is free and in the range', () => {
    const taken = service({ clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] });
    const cases: [string, RegExp | undefined][] = [
      ['10.96.0.10', undefined],
      ['10.96.0.9', /failed to allocate IP 10.96.0.9: provided IP is already allocated$/],
      ['10.97.0.9', /\(10.97.0.9\) is not in the valid range. The range of valid IPs is 10.96.0.0\/16$/],
      ['10.96.0.0', /not in the valid range/],
      ['10.96.255.255', /not in the valid range/],
    ];
    for (const [ip, why] of cases) {
      const [error] = giveServiceAddresses(service({ clusterIP: ip, clusterIPs: [ip] }), [taken], RANGE);
      assert.is(error === undefined, why === undefined, ip);
      if (why !== undefined) assert.match(error?.message ?? '', why);
      if (error !== undefined) assert.is(error.field, 'spec.clusterIPs');
    }
  });

  it('gives none to headless services and to names of others', () => {
    for (const of of [{ clusterIP: 'None' }, { type: 'ExternalName', externalName: 'x.org' }] as const) {
      const one = service(of);
      assert.equal(giveServiceAddresses(one, [], RANGE), []);
      assert.is(one.spec.clusterIP, (of as { clusterIP?: string }).clusterIP);
    }
  });

  it('gives node ports that nobody has, one for both protocols of a port', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' as const, targetPort: 53 },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' as const, targetPort: 53 },
      { name: 'web', port: 80, protocol: 'TCP' as const, targetPort: 80 },
    ];
    const all: Service[] = [];
    for (let i = 0; i < 50; i += 1) {
      const next = service({
        type: i % 2 === 0 ? 'NodePort' : 'LoadBalancer',
        ports: structuredClone(ports),
      });
      assert.equal(giveServiceAddresses(next, all, RANGE), []);
      all.push(next);
      const [udp, tcp, web] = (next.spec.ports ?? []).map((p) => p.nodePort ?? 0);
      assert.is(udp, tcp);
      assert.is.not(tcp, web);
    }
    const tcp = all.flatMap((s) =>
      (s.spec.ports ?? []).flatMap((p) => (p.protocol === 'TCP' ? [p.nodePort] : [])),
    );
    assert.is(new Set(tcp).size, 100);
    assert.ok(tcp.every((p) => p !== undefined && p >= NODE_PORTS.first && p <= NODE_PORTS.last));
  });

  it('refuses node ports that are taken or outside the range', () => {
    const port = (nodePort: number) => [{ port: 80, protocol: 'TCP' as const, targetPort: 80, nodePort }];
    const taken = service({ type: 'NodePort', ports: port(30_080) });
    const texts = (nodePort: number) =>
      giveServiceAddresses(service({ type: 'NodePort', ports: port(nodePort) }), [taken], RANGE).map(
        (e) => `${e.field}: ${e.message}`,
      );
    assert.equal(texts(30_081), []);
    assert.match(texts(30_080)[0] ?? '', /spec.ports\[0\].nodePort: .*provided port is already allocated$/);
    assert.match(texts(80)[0] ?? '', /The range of valid ports is 30000-32767$/);
  });

  it('gives a load balancer without node ports none', () => {
    const one = service({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false });
    assert.equal(giveServiceAddresses(one, [], RANGE), []);
    assert.is(one.spec.ports?.[0]?.nodePort, undefined);
  });

  it('has no second family of addresses', () => {
    const both = service({ ipFamilyPolicy: 'RequireDualStack' });
    assert.is(giveServiceAddresses(both, [], RANGE)[0]?.field, 'spec.ipFamilyPolicy');
    const six = service({ ipFamilies: ['IPv6'] });
    assert.is(giveServiceAddresses(six, [], RANGE)[0]?.field, 'spec.ipFamilies[0]');
  });
});
