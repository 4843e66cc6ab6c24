import * as assert from 'uvu/assert';
import { type ProxyName, parseProxyName } from '../../../../hub/api/proxy-target.ts';
import { serviceBackends } from '../../../../hub/api/service-backends.ts';
import type { Endpoints, Service } from '../../../../protocol/kinds/network.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { ApiError } from '../../../../protocol/status.ts';
import { spec } from '../../../spec.ts';

const META = {
  uid: 'u',
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
  namespace: 'default',
};

function service(fields: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...META, name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...fields },
  };
}

interface PodWish {
  readonly labels?: Record<string, string>;
  readonly ready?: boolean;
  readonly phase?: 'Running' | 'Failed' | 'Pending';
  readonly ip?: string;
  readonly node?: string;
  readonly leaving?: boolean;
  readonly ports?: { name: string; containerPort: number }[];
}

function pod(name: string, wish: PodWish = {}): Pod {
  const { labels = { app: 'web' }, ready = true, phase = 'Running', ip = `10.0.0.${name.length}` } = wish;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...META,
      name,
      labels,
      ...(wish.leaving === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: {
      nodeName: wish.node ?? 'n',
      containers: [{ name: 'c', image: 'i', ports: wish.ports ?? [{ name: 'http', containerPort: 8080 }] }],
    },
    status: { phase, podIP: ip, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

const shown = (name: string, svc: Service, pods: Pod[], endpoints?: Endpoints): string[] =>
  serviceBackends(parseProxyName('service', name), svc, pods, endpoints).map(
    (backend) => `${backend.pod.metadata.name}:${backend.port}`,
  );

spec('serviceBackends', (it) => {
  const two = service({
    ports: [
      { name: 'http', port: 80, targetPort: 'http' },
      { name: 'admin', port: 81, targetPort: 9000 },
    ],
  });
  const cases: [string, string, Service, Pod[], string[]][] = [
    ['the only port, without a name', 'web', service(), [pod('a'), pod('bb')], ['a:8080', 'bb:8080']],
    ['a port by number is that of the service', 'web:80', service(), [pod('a')], ['a:8080']],
    ['a port by name', 'web:admin', two, [pod('a')], ['a:9000']],
    ['a number among named ports', 'web:81', two, [pod('a')], ['a:9000']],
    [
      'a named target, found in each pod',
      'web:http',
      two,
      [pod('a'), pod('b', { ports: [{ name: 'http', containerPort: 81 }] })],
      ['a:8080', 'b:81'],
    ],
    [
      'only pods that have the named target',
      'web:http',
      two,
      [pod('a', { ports: [] }), pod('bb')],
      ['bb:8080'],
    ],
    ['https before the name', 'https:web:80', service(), [pod('a')], ['a:8080']],
    [
      'pods of the selector only',
      'web',
      service(),
      [pod('a', { labels: { app: 'x' } }), pod('bb')],
      ['bb:8080'],
    ],
    ['pods that are ready only', 'web', service(), [pod('a', { ready: false }), pod('bb')], ['bb:8080']],
    [
      'unready ones when the service publishes them',
      'web',
      service({ publishNotReadyAddresses: true }),
      [pod('a', { ready: false })],
      ['a:8080'],
    ],
    [
      'no pod that is going, has ended or has no address',
      'web',
      service({ publishNotReadyAddresses: true }),
      [pod('a', { leaving: true }), pod('bb', { phase: 'Failed' }), pod('ccc', { ip: '' }), pod('dddd')],
      ['dddd:8080'],
    ],
  ];
  for (const [name, wanted, svc, pods, expected] of cases)
    it(name, () => assert.equal(shown(wanted, svc, pods), expected));

  it('takes the pods that Endpoints written by people name, for a service without a selector', () => {
    const bare = service();
    delete bare.spec.selector;
    const endpoints: Endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { ...META, name: 'web' },
      subsets: [
        {
          addresses: [
            { ip: '10.0.0.1', targetRef: { kind: 'Pod', name: 'a' } },
            { ip: '10.0.0.2' },
            { ip: '10.9.9.9', targetRef: { kind: 'Pod', name: 'bb' } },
          ],
          ports: [{ port: 7000 }],
        },
      ],
    };
    assert.equal(shown('web', bare, [pod('a'), pod('bb')], endpoints), ['a:7000']);
    assert.throws(() => shown('web', bare, [pod('a')]), /endpoints "web" not found/);
  });

  const refusals: [string, string, Service, Pod[], string][] = [
    ['no pod', 'web', service(), [], 'no endpoints available for service "web"'],
    [
      'no pod is ready',
      'web',
      service(),
      [pod('a', { ready: false })],
      'no endpoints available for service "web"',
    ],
    ['no such port number', 'web:82', service(), [pod('a')], 'no service port 82 found for service "web"'],
    ['no such port name', 'web:x', service(), [pod('a')], 'no endpoints available for service "web:x"'],
    ['no name among several', 'web', two, [pod('a')], 'no endpoints available for service "web"'],
  ];
  for (const [name, wanted, svc, pods, message] of refusals)
    it(`503: ${name}`, () => {
      try {
        shown(wanted, svc, pods);
        assert.unreachable();
      } catch (error) {
        assert.instance(error, ApiError);
        assert.equal(
          [(error as ApiError).reason, (error as ApiError).message],
          ['ServiceUnavailable', message],
        );
      }
    });

  it('reads names', () => {
    const name: ProxyName = parseProxyName('service', 'https:web:443');
    assert.equal([name.scheme, name.name, name.port], ['https', 'web', '443']);
  });
});
