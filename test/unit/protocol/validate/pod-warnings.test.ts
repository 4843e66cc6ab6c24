import * as assert from 'uvu/assert';
import { kinds } from '../../../../protocol/kinds/index.ts';
import { idOf } from '../../../../protocol/kinds/kind.ts';
import type { Loose } from '../../../../protocol/kinds/loose.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import type { Container, PodSpec } from '../../../../protocol/kinds/pod.ts';
import { podSpecWarnings } from '../../../../protocol/validate/pod-warnings.ts';
import { spec } from '../../../spec.ts';

const container = (parts: Loose<Container>): Loose<PodSpec> => ({ containers: [{ name: 'a', ...parts }] });
const C = 'spec.containers[0]';

spec('warnings about pods', (it) => {
  const cases: readonly (readonly [string, Loose<PodSpec>, readonly string[]])[] = [
    [
      'labels of old',
      { nodeSelector: { 'beta.kubernetes.io/arch': 'arm64', a: 'b' } },
      [
        'spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use "kubernetes.io/arch" instead',
      ],
    ],
    [
      'a constraint that matches no pod',
      { topologySpreadConstraints: [{ topologyKey: 'failure-domain.beta.kubernetes.io/zone' }] },
      [
        'spec.topologySpreadConstraints[0].topologyKey: deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
        'spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod',
      ],
    ],
    [
      'a negative grace',
      { terminationGracePeriodSeconds: -1 },
      [
        'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
      ],
    ],
    [
      'a variable that is set twice, not one that is made longer',
      container({
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '$(A)2' },
          { name: 'A', value: '3' },
        ],
      }),
      [`${C}.env[2]: hides previous definition of "A", which may be dropped when using apply`],
    ],
    [
      'parts of bytes, which are meant as megabytes',
      container({ resources: { limits: { memory: '100m', cpu: '100m' }, requests: { memory: '1.5Gi' } } }),
      [`${C}.resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer`],
    ],
    [
      'the same port twice',
      container({
        ports: [{ containerPort: 80 }, { containerPort: 80, protocol: 'UDP' }, { containerPort: 80 }],
      }),
      [`${C}.ports[2]: duplicate port definition with ${C}.ports[0]`],
    ],
    [
      'a name of ports of two containers',
      {
        containers: [
          { name: 'a', ports: [{ name: 'web', containerPort: 80 }] },
          { name: 'b', ports: [{ name: 'web', containerPort: 81 }] },
        ],
      },
      [
        `spec.containers[1].ports[0]: duplicate port name "web" with ${C}.ports[0], services and probes that select ports by name will use ${C}.ports[0]`,
      ],
    ],
  ];
  for (const [name, pod, expected] of cases)
    it(`name ${name}`, () => assert.equal(podSpecWarnings(pod), [...expected]));

  it('say nothing of a usual pod', () => {
    const usual = container({ env: [{ name: 'A', value: '1' }], ports: [{ containerPort: 80 }] });
    assert.equal(podSpecWarnings(usual), []);
    assert.equal(podSpecWarnings(undefined), []);
  });

  const template = { spec: { terminationGracePeriodSeconds: -1 } };
  const GRACE = 'must be >= 0; negative values are invalid and will be treated as 1';
  for (const [kind, own, path, isNamed] of [
    ['Deployment', { spec: { template } }, 'spec.template.spec', true],
    ['ReplicaSet', { spec: { template } }, 'spec.template.spec', true],
    ['ReplicationController', { spec: { template } }, 'spec.template.spec', true],
    ['Job', { spec: { template } }, 'spec.template.spec', true],
    ['StatefulSet', { spec: { template } }, 'spec.template.spec', false],
    ['DaemonSet', { spec: { template } }, 'spec.template.spec', false],
    [
      'CronJob',
      { spec: { jobTemplate: { spec: { template } } } },
      'spec.jobTemplate.spec.template.spec',
      true,
    ],
    ['PodTemplate', { template }, 'template.spec', false],
    ['Pod', template, 'spec', true],
  ] as const)
    it(`look into a ${kind}`, () => {
      const found = kinds.find((known) => idOf(known) === kind);
      const object = { kind, metadata: { name: 'a.b' }, ...own } as unknown as KubeObject;
      const [about = '', ...rest] = found?.warnings?.(object, true) ?? [];
      if (isNamed)
        assert.match(about, /^metadata.name: .*a DNS label is recommended: \[must not contain dots\]$/);
      assert.equal(isNamed ? rest : [about], [`${path}.terminationGracePeriodSeconds: ${GRACE}`]);
      assert.is(found?.warnings?.(object, false).length, 1, 'the name is told once');
    });

  it('tell of the annotation that was a class of ingresses', () => {
    const found = kinds.find((known) => idOf(known) === 'Ingress');
    const annotations = { 'kubernetes.io/ingress.class': 'nginx' };
    const object = {
      kind: 'Ingress',
      metadata: { name: 'i', annotations },
      spec: {},
    } as unknown as KubeObject;
    assert.equal(found?.warnings?.(object, true), [
      'annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead',
    ]);
    assert.equal(found?.warnings?.({ ...object, spec: { ingressClassName: 'x' } } as KubeObject, true), []);
  });
});
