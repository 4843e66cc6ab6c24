import fc from 'fast-check';
import type { LabelSelector, LabelSelectorRequirement } from '../../protocol/kinds/meta.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../../protocol/kinds/pod.ts';
import { nodeObject, podObject } from './scheduling.ts';

/** Names that random nodes have. */
export const NODE_NAMES = ['a', 'b', 'c', 'd', 'e'] as const;
const KEYS = ['kubernetes.io/hostname', 'zone', 'rack'] as const;
/** Namespaces of random pods, with their labels. */
export const NAMESPACES = { default: { team: 'x' }, other: { team: 'y' } };

const selecting = (...matchExpressions: LabelSelectorRequirement[]): LabelSelector => ({ matchExpressions });

const anyLabels = fc.record(
  { app: fc.constantFrom('web', 'db'), rev: fc.constantFrom('1', '2') },
  { requiredKeys: [] },
);
const anySelector: fc.Arbitrary<LabelSelector> = fc.oneof(
  fc.record({ matchLabels: anyLabels }, { requiredKeys: [] }),
  fc.constantFrom(
    selecting({ key: 'app', operator: 'NotIn', values: ['web'] }),
    selecting({ key: 'rev', operator: 'Exists' }),
  ),
);
const anyTerm: fc.Arbitrary<PodAffinityTerm> = fc.record(
  {
    topologyKey: fc.constantFrom(...KEYS),
    labelSelector: anySelector,
    namespaces: fc.uniqueArray(fc.constantFrom('default', 'other')),
    namespaceSelector: fc.constantFrom<LabelSelector[]>({}, { matchLabels: { team: 'y' } }),
    matchLabelKeys: fc.array(fc.constant('rev'), { maxLength: 1 }),
  },
  { requiredKeys: ['topologyKey'] },
);
const anyConstraint: fc.Arbitrary<TopologySpreadConstraint> = fc.record(
  {
    maxSkew: fc.integer({ min: 1, max: 2 }),
    topologyKey: fc.constantFrom(...KEYS),
    whenUnsatisfiable: fc.constantFrom(
      'DoNotSchedule' as const,
      'DoNotSchedule' as const,
      'ScheduleAnyway' as const,
    ),
    labelSelector: fc.oneof(fc.constant<LabelSelector>({}), anySelector),
    minDomains: fc.integer({ min: 1, max: 3 }),
    nodeAffinityPolicy: fc.constantFrom('Honor' as const, 'Ignore' as const),
    nodeTaintsPolicy: fc.constantFrom('Honor' as const, 'Ignore' as const),
    matchLabelKeys: fc.array(fc.constant('rev'), { maxLength: 1 }),
  },
  { requiredKeys: ['maxSkew', 'topologyKey', 'whenUnsatisfiable', 'labelSelector'] },
);

/** A node with some of the labels that rules speak of, perhaps tainted. */
export const anyNode = fc
  .record({
    name: fc.constantFrom(...NODE_NAMES),
    zone: fc.option(fc.constantFrom('z1', 'z2'), { nil: undefined }),
    rack: fc.option(fc.constantFrom('r1', 'r2'), { nil: undefined }),
    tainted: fc.boolean(),
    cpu: fc.constantFrom('1', '2'),
  })
  .map(
    ({ name, zone, rack, tainted, cpu }): Node =>
      nodeObject(name, {
        labels: { ...(zone !== undefined && { zone }), ...(rack !== undefined && { rack }) },
        allocatable: { cpu, pods: '7' },
        spec: tainted ? { taints: [{ key: 't', effect: 'NoSchedule' }] } : {},
      }),
  );

/** A pod with rules about others, mostly of one sort. */
export const anyPodNamed = (name: string): fc.Arbitrary<Pod> =>
  fc
    .record({
      // Mostly rules of one sort: a pod with all of them fits nowhere, and shows nothing.
      sort: fc.constantFrom('plain', 'near', 'away', 'spread', 'spread', 'all'),
      namespace: fc.constantFrom('default', 'other'),
      labels: anyLabels,
      near: fc.array(anyTerm, { maxLength: 2 }),
      away: fc.array(anyTerm, { maxLength: 2 }),
      liked: fc.array(anyTerm, { maxLength: 1 }),
      constraints: fc.array(anyConstraint, { maxLength: 2 }),
      cpu: fc.constantFrom('10m', '100m', '600m'),
      zone: fc.constantFrom(undefined, undefined, undefined, 'z1', 'z2'),
      tolerant: fc.boolean(),
      port: fc.constantFrom(undefined, undefined, undefined, 80, 81),
    })
    .map(({ sort, namespace, labels, near, away, liked, constraints, cpu, zone, tolerant, port }) => {
      const of = <T>(own: typeof sort, rules: T[]): T[] => (sort === own || sort === 'all' ? rules : []);
      const pod = podObject(name, {
        namespace,
        labels,
        requests: { cpu },
        spec: {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: of('near', near),
              preferredDuringSchedulingIgnoredDuringExecution: liked.map((podAffinityTerm) => ({
                weight: 10,
                podAffinityTerm,
              })),
            },
            podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: of('away', away) },
          },
          topologySpreadConstraints: of('spread', constraints),
          ...(zone !== undefined && { nodeSelector: { zone } }),
          ...(tolerant && { tolerations: [{ operator: 'Exists' as const }] }),
        },
      });
      if (port !== undefined)
        for (const c of pod.spec.containers) c.ports = [{ containerPort: 1, hostPort: port }];
      return pod;
    });
