import * as assert from 'uvu/assert';
import {
  daemonTemplate,
  daemonTolerations,
  type NodeVerdict,
  nodeJudge,
  targetNode,
} from '../../../../hub/decide/daemon-set-pod.ts';
import type { Node, Taint } from '../../../../protocol/kinds/node.ts';
import type { PodSpec } from '../../../../protocol/kinds/pod.ts';
import { daemonSet } from '../../../build/daemons.ts';
import { node, pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const lost: Taint[] = [
  { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
];
const labelled = (name: string, labels: Record<string, string>): Node => {
  const made = node(name);
  return { ...made, metadata: { ...made.metadata, labels } };
};

spec('nodeJudge', (it) => {
  const required = (key: string, ...values: string[]): Partial<PodSpec> => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values }] }],
        },
      },
    },
  });
  const taint = (key: string, effect: Taint['effect']): Node => node('n', { taints: [{ key, effect }] });
  const cases: readonly [string, Partial<PodSpec>, Node, NodeVerdict][] = [
    ['any node', {}, node('n'), 'run'],
    ['a selector that holds', { nodeSelector: { a: '1' } }, labelled('n', { a: '1' }), 'run'],
    ['a selector that does not', { nodeSelector: { a: '1' } }, labelled('n', { a: '2' }), 'leave'],
    ['an affinity that holds', required('a', '1', '2'), labelled('n', { a: '2' }), 'run'],
    ['an affinity that does not', required('a', '1'), node('n'), 'leave'],
    ['another node by name', { nodeName: 'm' }, node('n'), 'leave'],
    ['this node by name', { nodeName: 'n' }, node('n'), 'run'],
    ['an untolerated NoSchedule', {}, taint('x', 'NoSchedule'), 'keep'],
    ['an untolerated NoExecute', {}, taint('x', 'NoExecute'), 'leave'],
    ['PreferNoSchedule', {}, taint('x', 'PreferNoSchedule'), 'run'],
    ['a tolerated taint', { tolerations: [{ operator: 'Exists' }] }, taint('x', 'NoExecute'), 'run'],
    ['cordoned', {}, taint('node.kubernetes.io/unschedulable', 'NoSchedule'), 'run'],
    ['memory pressure', {}, taint('node.kubernetes.io/memory-pressure', 'NoSchedule'), 'run'],
    ['no network', {}, taint('node.kubernetes.io/network-unavailable', 'NoSchedule'), 'keep'],
    [
      'no network, on the host',
      { hostNetwork: true },
      taint('node.kubernetes.io/network-unavailable', 'NoSchedule'),
      'run',
    ],
    ['away', {}, node('n', { taints: lost }), 'keep'],
    ['refused', {}, taint('coxswain.dev/desired-state-refused', 'NoSchedule'), 'keep'],
  ];
  for (const [name, podSpec, on, verdict] of cases)
    it(`${name}: ${verdict}`, () => {
      const set = daemonSet('a');
      Object.assign(set.spec.template.spec, podSpec);
      assert.is(nodeJudge(set)(on), verdict);
    });
});

spec('daemonTemplate', (it) => {
  it('binds to the node by name, keeps preferences, and replaces what was required', () => {
    const set = daemonSet('a');
    const preferred = [{ weight: 1, preference: { matchExpressions: [] } }];
    set.spec.template.spec.affinity = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] },
        preferredDuringSchedulingIgnoredDuringExecution: preferred,
      },
    };
    const { metadata, spec: made } = daemonTemplate(set, 'n1', 'h');
    assert.is(metadata?.labels?.['controller-revision-hash'], 'h');
    assert.equal(made.affinity?.nodeAffinity, {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }],
      },
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
    });
    assert.is(targetNode({ ...pod('p'), spec: made }), 'n1');
    assert.is(targetNode(pod('p', { node: 'n2' })), 'n2');
    assert.is(targetNode(pod('p')), undefined);
  });

  it('tolerates what Kubernetes daemon pods tolerate, once', () => {
    const own = { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' } as const;
    const spec_ = {
      containers: [],
      tolerations: [
        { ...own, tolerationSeconds: 5 },
        { key: 'mine', operator: 'Exists' as const },
      ],
    };
    assert.equal(
      daemonTolerations(spec_).map((t) => `${t.key}:${t.effect ?? ''}:${t.tolerationSeconds ?? ''}`),
      [
        'mine::',
        'node.kubernetes.io/not-ready:NoExecute:',
        'node.kubernetes.io/unreachable:NoExecute:',
        'node.kubernetes.io/disk-pressure:NoSchedule:',
        'node.kubernetes.io/memory-pressure:NoSchedule:',
        'node.kubernetes.io/pid-pressure:NoSchedule:',
        'node.kubernetes.io/unschedulable:NoSchedule:',
      ],
    );
    assert.match(
      JSON.stringify(daemonTolerations({ containers: [], hostNetwork: true })),
      'node.kubernetes.io/network-unavailable',
    );
  });
});
