import * as assert from 'uvu/assert';
import type { Loose } from '../../../../protocol/kinds/loose.ts';
import type { PodSpec } from '../../../../protocol/kinds/pod.ts';
import { podKind } from '../../../../protocol/kinds/pod-kind.ts';
import { userContainer, userPod } from '../../../build/kube.ts';
import { spec } from '../../../spec.ts';

/** `field: message` of every error of a defaulted pod. */
function errorsOf(podSpec: Loose<PodSpec>): string[] {
  const pod = userPod(podSpec);
  podKind.setDefaults(pod);
  return podKind.validate(pod).map((e) => `${e.field}: ${e.message}`);
}

const one = (container: Parameters<typeof userContainer>[0]): Loose<PodSpec> => ({
  containers: [userContainer(container)],
});

spec('pod validation', (it) => {
  const cases: readonly (readonly [string, Loose<PodSpec>, string[]])[] = [
    ['accepts a plain pod', {}, []],
    [
      'knows how long tokens may live and where their files may be',
      {
        volumes: [
          {
            name: 't',
            projected: {
              sources: [
                { serviceAccountToken: { path: 'a', expirationSeconds: 600 } },
                { serviceAccountToken: { path: '', expirationSeconds: 599 } },
                { serviceAccountToken: { path: '../a', expirationSeconds: 2 ** 32 + 1 } },
              ],
            },
          },
        ],
      },
      [
        'spec.volumes[0].projected.sources[1].serviceAccountToken.path: Required value',
        'spec.volumes[0].projected.sources[1].serviceAccountToken.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
        `spec.volumes[0].projected.sources[2].serviceAccountToken.path: Invalid value: "../a": must not contain '..'`,
        'spec.volumes[0].projected.sources[2].serviceAccountToken.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds',
      ],
    ],
    ['needs a container', { containers: [] }, ['spec.containers: Required value']],
    ['needs an image', { containers: [{ name: 'a' }] }, ['spec.containers[0].image: Required value']],
    [
      'refuses two containers of one name',
      { containers: [userContainer(), userContainer()] },
      ['spec.containers[1].name: Duplicate value: "app"'],
    ],
    [
      'knows the range of ports',
      one({ ports: [{ containerPort: 70_000 }, { containerPort: 0 }] }),
      [
        'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
        'spec.containers[0].ports[1].containerPort: Required value',
      ],
    ],
    [
      'names the supported values',
      one({ imagePullPolicy: 'Sometimes' as never }),
      [
        'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
      ],
    ],
    [
      'finds mounts without a volume, and two at one place',
      {
        volumes: [{ name: 'data' }],
        ...one({
          volumeMounts: [
            { name: 'data', mountPath: '/a' },
            { name: 'nope', mountPath: '/a' },
          ],
        }),
      },
      [
        'spec.containers[0].volumeMounts[1].name: Not found: "nope"',
        'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
      ],
    ],
    [
      'refuses a request above its limit',
      one({ resources: { requests: { cpu: '2', memory: '1Gi' }, limits: { cpu: '500m', memory: '1Gi' } } }),
      [
        'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 500m',
      ],
    ],
    [
      'refuses negative and unreadable amounts',
      one({ resources: { limits: { cpu: '-1', memory: '12Zi' } } }),
      [
        'spec.containers[0].resources.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        'spec.containers[0].resources.limits[memory]: Invalid value: "12Zi": quantities must match the regular expression \'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$\'',
        'spec.containers[0].resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        'spec.containers[0].resources.requests[memory]: Invalid value: "12Zi": quantities must match the regular expression \'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$\'',
      ],
    ],
    [
      'checks probes',
      one({
        livenessProbe: { httpGet: { port: 'no such port!' }, exec: { command: ['x'] }, successThreshold: 2 },
      }),
      [
        'spec.containers[0].livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type',
        'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
      ],
    ],
    [
      'wants a handler in a probe',
      one({ readinessProbe: { periodSeconds: -1 } }),
      [
        'spec.containers[0].readinessProbe: Required value: must specify a handler type',
        'spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
    [
      'checks where the environment comes from',
      one({ env: [{ name: 'a=b' }, { name: 'B', valueFrom: { fieldRef: { fieldPath: 'spec.nope' } } }] }),
      [
        'spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than \'=\'',
        'spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.nope": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
      ],
    ],
    [
      'allows one source per volume',
      { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'refuses a host path that climbs',
      { volumes: [{ name: 'v', hostPath: { path: '/x/../y', type: 'Dir' } }] },
      [
        'spec.volumes[0].hostPath.path: Invalid value: "/x/../y": must not contain \'..\'',
        'spec.volumes[0].hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
      ],
    ],
    [
      'keeps probes off plain init containers',
      { initContainers: [userContainer({ name: 'i', livenessProbe: { exec: { command: ['x'] } } })] },
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'refuses one host port twice',
      {
        containers: [
          userContainer({ ports: [{ containerPort: 1, hostPort: 80 }] }),
          userContainer({ name: 'b', ports: [{ containerPort: 2, hostPort: 80 }] }),
        ],
      },
      ['spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//80"'],
    ],
    [
      'checks tolerations',
      { tolerations: [{ value: 'x' }, { key: 'a', operator: 'Exists', tolerationSeconds: 5 }] },
      [
        'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
        'spec.tolerations[1].effect: Invalid value: "": effect must be \'NoExecute\' when `tolerationSeconds` is set',
      ],
    ],
    [
      'checks affinity',
      {
        affinity: {
          nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } },
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, podAffinityTerm: {} }],
          },
        },
      },
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
        'spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100',
        'spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey: Required value: can not be empty',
      ],
    ],
    [
      'wants name servers when the pod brings its own DNS',
      { dnsPolicy: 'None' },
      ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      'bounds the deadline',
      { activeDeadlineSeconds: 0 },
      ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
    ],
  ];
  for (const [name, podSpec, expected] of cases) it(name, () => assert.equal(errorsOf(podSpec), expected));
});

spec('pod update', (it) => {
  const before = userPod({
    tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }],
  });
  podKind.setDefaults(before);
  const changed = (change: (podSpec: PodSpec) => void): string[] => {
    const next = structuredClone(before);
    change(next.spec);
    return podKind.validateUpdate(next, before).map((e) => `${e.field}: ${e.message.split('\n')[0] ?? ''}`);
  };
  const FIXED =
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
  const container = (podSpec: PodSpec) => podSpec.containers[0] ?? assert.unreachable('no container');

  it('allows another image, a deadline, more tolerations and other seconds', () => {
    assert.equal(
      changed((s) => Object.assign(container(s) ?? {}, { image: 'busybox:2' })),
      [],
    );
    assert.equal(
      changed((s) => Object.assign(s, { activeDeadlineSeconds: 9 })),
      [],
    );
    assert.equal(
      changed((s) => s.tolerations?.push({ operator: 'Exists' })),
      [],
    );
    assert.equal(
      changed((s) => Object.assign(s.tolerations?.[0] ?? {}, { tolerationSeconds: 9 })),
      [],
    );
  });

  it('forbids all else', () => {
    assert.equal(
      changed((s) => Object.assign(s, { nodeSelector: { a: 'b' } })),
      [FIXED],
    );
    assert.equal(
      changed((s) => Object.assign(container(s) ?? {}, { command: ['x'] })),
      [FIXED],
    );
    assert.equal(
      changed((s) => Object.assign(s, { tolerations: [] })),
      ['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'],
    );
    assert.equal(
      changed((s) => s.containers.push({ name: 'b', image: 'x' })),
      ['spec.containers: Forbidden: pod updates may not add or remove containers'],
    );
  });

  it('keeps name and uid', () => {
    const next = structuredClone(before);
    next.metadata.uid = 'other';
    assert.equal(
      podKind.validateUpdate(next, before).map((e) => `${e.field}: ${e.message}`),
      ['metadata.uid: Invalid value: "other": field is immutable'],
    );
  });
});
