import * as assert from 'uvu/assert';
import { hubVariables, nearestFirst } from '../../../../edge-agent/decide/hub-api.ts';
import type { PodSpec } from '../../../../protocol/kinds/pod.ts';
import { spec } from '../../../spec.ts';

function podSpec(audience?: string, parts: Partial<PodSpec> = {}): PodSpec {
  const serviceAccountToken = { path: 'token', ...(audience === undefined ? {} : { audience }) };
  const volumes = [{ name: 'kube-api-access-x', projected: { sources: [{ serviceAccountToken }] } }];
  return { containers: [{ name: 'c', image: 'i' }], volumes, ...parts };
}
const LAN = 'https://192.168.1.10:6443';
const variables = (api: readonly string[], of: PodSpec = podSpec()): Record<string, string> =>
  Object.fromEntries(hubVariables(of, api));

spec('hubVariables', (it) => {
  it('are those of the service `kubernetes` on the port the hub listens on', () => {
    assert.equal(variables([LAN]), {
      KUBERNETES_SERVICE_HOST: '192.168.1.10',
      KUBERNETES_SERVICE_PORT: '6443',
      KUBERNETES_SERVICE_PORT_HTTPS: '6443',
      KUBERNETES_PORT: 'tcp://192.168.1.10:6443',
      KUBERNETES_PORT_6443_TCP: 'tcp://192.168.1.10:6443',
      KUBERNETES_PORT_6443_TCP_PROTO: 'tcp',
      KUBERNETES_PORT_6443_TCP_PORT: '6443',
      KUBERNETES_PORT_6443_TCP_ADDR: '192.168.1.10',
    });
  });

  const hosts = [
    ['a name', 'https://hub.example.lan:6443', 'hub.example.lan', '6443'],
    [
      'an IPv6 address, which client libraries want without brackets',
      'https://[fd00::1]:443',
      'fd00::1',
      '443',
    ],
    ['no port', 'https://hub.example', 'hub.example', '443'],
    ['no scheme', 'hub.example:6443', 'hub.example', '6443'],
  ] as const;
  for (const [name, address, host, port] of hosts)
    it(`know ${name}`, () => {
      const found = variables([address]);
      assert.is(found['KUBERNETES_SERVICE_HOST'], host);
      assert.is(found['KUBERNETES_SERVICE_PORT'], port);
    });

  it('leave loopback to pods of the host network', () => {
    const here = 'https://127.0.0.1:6443';
    assert.equal(variables([here]), {});
    assert.is(variables([here, LAN])['KUBERNETES_SERVICE_HOST'], '192.168.1.10');
    const ofHost = podSpec(undefined, { hostNetwork: true });
    assert.is(variables([here, LAN], ofHost)['KUBERNETES_SERVICE_HOST'], '127.0.0.1');
  });

  it('are not for pods that are shown no token for the API', () => {
    assert.equal(variables([LAN], { containers: [] }), {});
    assert.equal(variables([LAN], podSpec('vault')), {});
    assert.equal(variables([], podSpec()), {});
    assert.equal(variables(['nonsense://'], podSpec()), {});
  });
});

spec('nearestFirst', (it) => {
  it('puts the host that answered in front', () => {
    const other = 'https://203.0.113.4:6443';
    assert.equal(nearestFirst([LAN, other], 'mqtts://203.0.113.4:8883'), [other, LAN]);
    assert.equal(nearestFirst([LAN, other], 'mqtts://broker.example'), [LAN, other]);
    assert.equal(nearestFirst([LAN, other], undefined), [LAN, other]);
  });
});
