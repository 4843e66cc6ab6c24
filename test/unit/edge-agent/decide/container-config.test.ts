import * as assert from 'uvu/assert';
import {
  type ContainerContext,
  containerConfig,
  sandboxConfig,
} from '../../../../edge-agent/decide/container-config.ts';
import type { ContainerSpec } from '../../../../edge-agent/decide/container-spec.ts';
import type { Container, PodSpec } from '../../../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { spec } from '../../../spec.ts';

const CONTEXT: ContainerContext = {
  name: 'c',
  labels: {},
  env: new Map([['A', '1']]),
  imageUser: '',
  mounts: [],
  devices: [],
  podIp: '10.1.1.2',
  memoryLimits: true,
  cpuLimits: true,
  nodeMemoryBytes: 2 ** 30,
  lowestOomScore: -1000,
};

function config(
  overrides: Partial<Container>,
  podSpec: Partial<PodSpec> = {},
  context: Partial<ContainerContext> = {},
): ContainerSpec | string {
  const one = container(overrides);
  const pod = desiredPod('p', { ...podSpec, containers: [one] });
  const result = containerConfig(pod, one, { ...CONTEXT, ...context });
  return result.ok ? result.value : result.message;
}

const made = (...args: Parameters<typeof config>): ContainerSpec => {
  const result = config(...args);
  if (typeof result === 'string') throw new Error(result);
  return result;
};

spec('containerConfig', (it) => {
  it('takes command and args as entrypoint and arguments, expanded', () => {
    const one = made({ command: ['sh', '$(A)'], args: ['$(NONE)'] });
    assert.equal([one.entrypoint, one.args, one.env], [['sh', '1'], ['$(NONE)'], ['A=1']]);
  });

  it('owns the namespaces alone, and joins those of a sandbox', () => {
    assert.equal(made({}).network, { kind: 'pod', ip: '10.1.1.2' });
    assert.is(made({}).hostname, 'p');
    const joined = made({ ports: [{ containerPort: 1, hostPort: 2 }] }, {}, { sandboxId: 's' });
    assert.equal(joined.network, { kind: 'join', containerId: 's' });
    assert.equal(joined.ipc, { join: 's' });
    assert.is(joined.pid, 'private');
    assert.equal([joined.ports, joined.extraHosts, joined.hostname], [[], [], undefined]);
    assert.equal(made({}, { shareProcessNamespace: true }, { sandboxId: 's' }).pid, { join: 's' });
    assert.equal(made({}, { hostNetwork: true }).network, { kind: 'host' });
  });

  it('publishes the host ports of all containers on the sandbox', () => {
    const ports = [{ containerPort: 80, hostPort: 8080, protocol: 'UDP' as const }];
    const pod = desiredPod('p', { containers: [container({ ports }), container({ name: 'b' })] });
    const sandbox = sandboxConfig(pod, 'image', CONTEXT);
    assert.equal(sandbox.ports, [{ containerPort: 80, hostPort: 8080, protocol: 'udp' }]);
    assert.is(sandbox.ipc, 'shareable');
  });

  it('turns requests into shares and limits into quotas, and leaves out what the kernel lacks', () => {
    const resources = { requests: { cpu: '250m', memory: '512Mi' }, limits: { cpu: '500m', memory: '1Gi' } };
    assert.equal(made({ resources }).limits, {
      cpuShares: 256,
      cpuMilli: 500,
      memoryBytes: 2 ** 30,
      oomScoreAdj: 500,
    });
    const bare = made({ resources }, {}, { memoryLimits: false, cpuLimits: false }).limits;
    assert.equal([bare.memoryBytes, bare.cpuMilli], [undefined, undefined]);
    assert.equal(made({}).limits, { cpuShares: 2, oomScoreAdj: 1000 });
  });

  it('protects guaranteed pods only where that is allowed', () => {
    const resources = { limits: { cpu: '1', memory: '1Gi' } };
    assert.is(made({ resources }).limits.oomScoreAdj, -997);
    assert.is(made({ resources }, {}, { lowestOomScore: 0 }).limits.oomScoreAdj, 0);
  });

  it('protects what the node cannot do without, whatever its class', () => {
    assert.is(made({}, { priority: 2_000_001_000 }).limits.oomScoreAdj, -997);
    assert.is(made({}, { priorityClassName: 'system-node-critical' }).limits.oomScoreAdj, -997);
    assert.is(made({}, { priority: 1_000_000_000 }).limits.oomScoreAdj, 1000);
  });

  it('scores by what is requested, a limit counting as request, within the bounds of the kubelet', () => {
    const score = (memory: string, cpu?: string): number | undefined =>
      made({ resources: { limits: { memory, ...(cpu === undefined ? {} : { cpu }) } } }).limits.oomScoreAdj;
    assert.equal([score('512Mi'), score('1Ki'), score('1Gi')], [500, 999, 3]);
  });

  it('caps processes and logs by the profile, and adds the groups of its devices once', () => {
    const log = { maxBytes: 1024, maxFiles: 3 };
    const one = made(
      {},
      { securityContext: { supplementalGroups: [20] } },
      { pidsLimit: 100, log, deviceGroups: [20, 44] },
    );
    assert.equal([one.limits.pids, one.log, one.groups], [100, log, ['20', '44']]);
    assert.is('pids' in made({}, {}, { pidsLimit: 0 }).limits, false);
    const wide = made({ resources: { requests: { cpu: '1000' } } }).limits;
    assert.is(wide.cpuShares, 262_144, 'no more than the kernel takes');
  });

  const users = [
    [{}, {}, '', undefined],
    [{ runAsUser: 5 }, {}, '', '5'],
    [{ runAsUser: 5, runAsGroup: 6 }, {}, '', '5:6'],
    [{ runAsGroup: 6 }, {}, '7:7', '7:6'],
    [{}, { runAsUser: 8 }, '', '8'],
    [{ runAsUser: 5 }, { runAsUser: 8 }, '', '5'],
  ] as const;
  for (const [own, podWide, imageUser, expected] of users)
    it(`runs as ${expected} for ${JSON.stringify([own, podWide, imageUser])}`, () => {
      assert.is(made({ securityContext: own }, { securityContext: podWide }, { imageUser }).user, expected);
    });

  const refused = [
    ['', /image will run as root/],
    ['0', /image will run as root/],
    ['nginx', /non-numeric user/],
  ] as const;
  for (const [imageUser, expected] of refused)
    it(`refuses "${imageUser}" where root is not wanted`, () => {
      const result = config({ securityContext: { runAsNonRoot: true } }, {}, { imageUser });
      assert.type(result, 'string');
      assert.match(String(result), expected);
    });
  it('lets a numeric user run where root is not wanted', () => {
    made({ securityContext: { runAsNonRoot: true } }, {}, { imageUser: '1000' });
    made({ securityContext: { runAsNonRoot: true, runAsUser: 1 } });
  });

  it("adds the pod's own resolver settings to the cluster's, or takes them alone", () => {
    const dns = { servers: ['10.0.0.1'], searches: ['svc'], options: ['ndots:5'] };
    const dnsConfig = {
      nameservers: ['1.1.1.1'],
      options: [{ name: 'edns0' }, { name: 'ndots', value: '2' }],
    };
    assert.equal(made({}, { dnsConfig }, { dns }).dns, {
      servers: ['10.0.0.1', '1.1.1.1'],
      searches: ['svc'],
      options: ['ndots:5', 'edns0', 'ndots:2'],
    });
    assert.equal(made({}, { dnsConfig, dnsPolicy: 'None' }, { dns }).dns?.servers, ['1.1.1.1']);
    assert.is(made({}, { dnsPolicy: 'Default' }, { dns }).dns, undefined);
  });
});
