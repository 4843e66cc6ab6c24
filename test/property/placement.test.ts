import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { LabelSelector, LabelSelectorRequirement } from '../../protocol/kinds/meta.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../../protocol/kinds/pod.ts';
import { allowedNodes, type Objects } from '../build/placement-oracle.ts';
import { nodeObject, PlacementWorld, podObject } from '../build/scheduling.ts';
import { spec } from '../spec.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'] as const;
const KEYS = ['kubernetes.io/hostname', 'zone', 'rack'] as const;
const NAMESPACES = { default: { team: 'x' }, other: { team: 'y' } };

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

const anyNode = fc
  .record({
    name: fc.constantFrom(...NAMES),
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

const anyPodNamed = (name: string): fc.Arbitrary<Pod> =>
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

const UIDS = Array.from({ length: 24 }, (_, i) => `p${i}`);

/** One thing that happens to a cluster. */
type Step =
  | { readonly do: 'node'; readonly node: Node }
  | { readonly do: 'removeNode'; readonly name: string }
  | { readonly do: 'bind'; readonly pod: Pod; readonly on: string }
  | { readonly do: 'place'; readonly pod: Pod }
  | { readonly do: 'mark'; readonly uid: string; readonly as: 'deleting' | 'ended' | 'relabelled' }
  | { readonly do: 'removePod'; readonly uid: string };

const anyPod = fc.constantFrom(...UIDS).chain(anyPodNamed);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: anyNode.map((node) => ({ do: 'node', node }) as const) },
  { weight: 1, arbitrary: fc.constantFrom(...NAMES).map((name) => ({ do: 'removeNode', name }) as const) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(anyPod, fc.constantFrom(...NAMES))
      .map(([pod, on]) => ({ do: 'bind', pod, on }) as const),
  },
  { weight: 8, arbitrary: anyPod.map((pod) => ({ do: 'place', pod }) as const) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...UIDS), fc.constantFrom('deleting', 'ended', 'relabelled'))
      .map(([uid, as]) => ({ do: 'mark', uid, as }) as const),
  },
  { weight: 1, arbitrary: fc.constantFrom(...UIDS).map((uid) => ({ do: 'removePod', uid }) as const) },
);

const anySteps = fc
  .tuple(
    fc.array(anyNode, { maxLength: 6, minLength: 3 }),
    fc.array(anyStep, { minLength: 10, maxLength: 40 }),
  )
  .map(([nodes, steps]): Step[] => [...nodes.map((node) => ({ do: 'node', node }) as const), ...steps]);

/** A cluster's objects, and the state that placement keeps of them change by change. */
class Model {
  readonly nodes = new Map<string, Node>();
  readonly pods = new Map<string, Pod>();
  readonly world = new PlacementWorld([], [], undefined, NAMESPACES);

  get objects(): Objects {
    return { nodes: [...this.nodes.values()], pods: [...this.pods.values()], namespaces: NAMESPACES };
  }

  apply(step: Step): void {
    const { state } = this.world;
    switch (step.do) {
      case 'node':
        this.nodes.set(step.node.metadata.name, step.node);
        state.setNode(step.node);
        return;
      case 'removeNode':
        this.nodes.delete(step.name);
        state.removeNode(step.name);
        return;
      case 'bind':
        this.#bind(step.pod, step.on);
        return;
      case 'place':
        this.#place(step.pod);
        return;
      case 'mark':
        this.#mark(step.uid, step.as);
        return;
      case 'removePod':
        this.pods.delete(step.uid);
        state.forget(step.uid);
    }
  }

  #bind(pod: Pod, on: string): void {
    const { uid } = pod.metadata;
    if (this.pods.has(uid)) return;
    const bound: Pod = { ...pod, spec: { ...pod.spec, nodeName: on }, status: { phase: 'Running' } };
    this.pods.set(uid, bound);
    this.world.state.observe(bound, 0);
  }

  /** What the placer chooses must be allowed; what it refuses must be allowed nowhere. */
  #place(pod: Pod): void {
    if (this.pods.has(pod.metadata.uid)) return;
    const allowed = allowedNodes(pod, this.objects);
    assert.equal(this.world.feasible(pod), allowed);
    const placement = this.world.place(pod);
    assert.is(placement.ok, allowed.length > 0);
    if (!placement.ok) return;
    assert.ok(allowed.includes(placement.node));
    this.#bind(pod, placement.node);
  }

  #mark(uid: string, as: 'deleting' | 'ended' | 'relabelled'): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    const { metadata } = pod;
    const next: Pod =
      as === 'ended'
        ? { ...pod, status: { phase: 'Failed' } }
        : as === 'deleting'
          ? { ...pod, metadata: { ...metadata, deletionTimestamp: metadata.creationTimestamp } }
          : { ...pod, metadata: { ...metadata, labels: { app: 'db' } } };
    this.pods.set(uid, next);
    this.world.state.observe(next, 0);
  }
}

const outcomes = (world: PlacementWorld, probes: readonly Pod[]): unknown[] =>
  probes.map((pod) => {
    const placement = world.place(pod);
    return placement.ok
      ? placement
      : placement.reasons.map(({ node, refusals }) => [node, refusals.map((r) => r.reason)]);
  });

spec('placement under random rules', (it) => {
  it('never takes a node that the rules refuse, and finds one when there is one', () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const model = new Model();
        for (const step of steps) model.apply(step);
      }),
      { numRuns: 300 },
    );
  });

  it('decides on what it kept up to date as on what is built anew, in whatever order', () => {
    const probes = fc.array(anyPodNamed('probe'), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(anySteps, probes, fc.boolean(), (steps, pods, reverse) => {
        const model = new Model();
        for (const step of steps) model.apply(step);
        const { nodes, pods: present } = model.objects;
        const inOrder = <T>(list: readonly T[]): readonly T[] => (reverse ? list.toReversed() : list);
        const anew = new PlacementWorld(inOrder(nodes), inOrder(present), undefined, NAMESPACES);
        assert.equal(outcomes(model.world, pods), outcomes(anew, pods));
      }),
      { numRuns: 200 },
    );
  });
});
