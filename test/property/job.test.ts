import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { planJob } from '../../hub/decide/job.ts';
import { COMPLETION_INDEX, isTracked, jobFinished } from '../../hub/decide/job-facts.ts';
import { isActive } from '../../hub/decide/pod-facts.ts';
import type { Job, JobSpec } from '../../protocol/kinds/batch.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { jobPodOf, jobWorld, plainJob } from '../build/jobs.ts';
import { spec } from '../spec.ts';

const anySpec: fc.Arbitrary<Partial<JobSpec>> = fc
  .record({
    completions: fc.integer({ min: 0, max: 6 }),
    parallelism: fc.integer({ min: 0, max: 6 }),
    completionMode: fc.constantFrom('Indexed', 'NonIndexed'),
    backoffLimit: fc.integer({ min: 0, max: 4 }),
    podReplacementPolicy: fc.constantFrom('Failed', 'TerminatingOrFailed'),
    perIndex: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
  })
  .map(({ perIndex, ...rest }) => ({
    ...rest,
    ...(perIndex === undefined || rest.completionMode !== 'Indexed'
      ? {}
      : { backoffLimitPerIndex: perIndex }),
  })) as fc.Arbitrary<Partial<JobSpec>>;

/** What happens to the world: a step of the hub that may be cut short, or a pod that ends, is deleted or confirmed gone. */
const anySteps = fc.array(
  fc.record({
    what: fc.constantFrom('hub', 'hub', 'hub', 'succeed', 'fail', 'delete', 'gone'),
    pick: fc.nat(),
    /** How many of the writes of the hub's step come about. */
    writes: fc.integer({ min: 0, max: 12 }),
  }),
  { maxLength: 60 },
);

interface World {
  job: Job;
  pods: Pod[];
  atS: number;
  made: number;
  /** Pods that the hub took away because they were not wanted: they are no failures. */
  readonly dropped: Set<string>;
  /** Pods that ended or were deleted by somebody. */
  readonly ended: Set<string>;
}

const untracked = (pod: Pod): Pod => ({ ...pod, metadata: { ...pod.metadata, finalizers: [] } });

/** The controller's step, with only the first `writes` writes done. */
function hubStep(world: World, writes: number): void {
  let left = writes;
  const may = (): boolean => left-- > 0;
  const store = (): boolean => {
    const plan = planJob(jobWorld(world.job, world.pods, world.atS));
    if (plan.changed && !may()) return false;
    world.job = { ...world.job, status: plan.status };
    for (const pod of plan.release) {
      if (!may()) return false;
      world.pods = world.pods.map((p) => (p.metadata.uid === pod.metadata.uid ? untracked(p) : p));
    }
    return true;
  };
  const plan = planJob(jobWorld(world.job, world.pods, world.atS));
  if (plan.isEnding && !store()) return;
  for (const pod of [...plan.stop, ...plan.remove]) {
    if (!may()) return;
    if (plan.remove.includes(pod)) world.dropped.add(pod.metadata.uid);
    world.pods = world.pods.map((p) => {
      if (p.metadata.uid !== pod.metadata.uid) return p;
      const stopping = {
        ...p,
        metadata: {
          ...p.metadata,
          deletionTimestamp: '2026-01-01T00:00:00Z',
          deletionGracePeriodSeconds: 30,
        },
      };
      return plan.remove.includes(pod) ? untracked(stopping) : stopping;
    });
  }
  for (const { index, failures = 0 } of plan.create) {
    if (!may()) return;
    const annotations = { 'batch.kubernetes.io/job-index-failure-count': String(failures) };
    world.pods.push(jobPodOf(`p${world.made++}`, { ...(index === undefined ? {} : { index }), annotations }));
  }
  store();
}

function happen(world: World, what: string, pick: number): void {
  const live = world.pods.filter((p) => p.status?.phase === 'Running');
  const pod = live[pick % Math.max(1, live.length)];
  if (pod === undefined) return;
  const uid = pod.metadata.uid;
  const replace = (next: Pod): void => {
    world.pods = world.pods.map((p) => (p === pod ? next : p));
  };
  if (what === 'succeed' || what === 'fail') {
    const phase = what === 'succeed' ? 'Succeeded' : 'Failed';
    replace({ ...pod, status: { ...pod.status, phase } });
  }
  if (what === 'delete')
    replace({
      ...pod,
      metadata: {
        ...pod.metadata,
        deletionTimestamp: '2026-01-01T00:00:00Z',
        deletionGracePeriodSeconds: 30,
      },
    });
  if (what === 'gone' && pod.metadata.deletionTimestamp !== undefined)
    replace({ ...pod, metadata: { ...pod.metadata, deletionGracePeriodSeconds: 0 } });
  if (what !== 'gone') world.ended.add(uid);
  // A pod that waits for nothing is gone.
  world.pods = world.pods.filter((p) => isTracked(p) || p.metadata.deletionGracePeriodSeconds !== 0);
}

function run(
  jobSpec: Partial<JobSpec>,
  steps: readonly { what: string; pick: number; writes: number }[],
): World {
  const world: World = {
    job: plainJob(jobSpec),
    pods: [],
    atS: 3600,
    made: 0,
    dropped: new Set(),
    ended: new Set(),
  };
  for (const { what, pick, writes } of steps) {
    world.atS += 3600;
    const before = world.pods.filter(isActive).length;
    const wasOver = jobFinished(world.job);
    if (what === 'hub') hubStep(world, writes);
    else happen(world, what, pick);
    const active = world.pods.filter(isActive);
    assert.ok(active.length <= Math.max(before, jobSpec.parallelism ?? 1), 'more at work than allowed');
    if (wasOver !== undefined) assert.is(jobFinished(world.job), wasOver, 'an ended job came alive');
    if (jobSpec.completionMode === 'Indexed') {
      const indexes = active.map((p) => p.metadata.annotations?.[COMPLETION_INDEX]);
      assert.is(new Set(indexes).size, indexes.length, 'two pods of one index');
    }
  }
  return world;
}

/** A pod that is counted as failed because it is being stopped, and then ends well before its finalizer is gone. */
const endsWellAfterAll: [Partial<JobSpec>, { what: string; pick: number; writes: number }[]] = [
  {
    completions: 3,
    parallelism: 3,
    completionMode: 'Indexed',
    backoffLimit: 0,
    podReplacementPolicy: 'TerminatingOrFailed',
  },
  [
    { what: 'hub', pick: 0, writes: 3 },
    { what: 'delete', pick: 0, writes: 0 },
    { what: 'hub', pick: 0, writes: 5 },
    { what: 'succeed', pick: 1, writes: 0 },
    { what: 'hub', pick: 0, writes: 1 },
  ],
];

spec('a job, in any order of events and with any write cut short', (it) => {
  it('never has more pods at work than allowed, nor counts an end twice', () => {
    fc.assert(
      fc.property(anySpec, anySteps, (jobSpec, steps) => {
        const world = run(jobSpec, steps);
        const { succeeded = 0, failed = 0, uncountedTerminatedPods: open = {} } = world.job.status ?? {};
        const known = succeeded + failed + (open.succeeded?.length ?? 0) + (open.failed?.length ?? 0);
        assert.ok(known <= world.made, `${known} ends of ${world.made} pods`);
      }),
      { numRuns: 300, examples: [endsWellAfterAll] },
    );
  });

  it('comes to rest: plan, apply, and there is nothing left to do', () => {
    fc.assert(
      fc.property(anySpec, anySteps, (jobSpec, steps) => {
        const world = run(jobSpec, steps);
        for (let i = 0; i < 8; i++) {
          world.atS += 3600;
          hubStep(world, 1000);
        }
        const plan = planJob(jobWorld(world.job, world.pods, world.atS));
        assert.equal(
          [plan.changed, plan.create.length, plan.remove.length, plan.stop.length, plan.release.length],
          [false, 0, 0, 0, 0],
        );
      }),
      { numRuns: 200 },
    );
  });

  it('counts every end, once, but those of pods it took away itself', () => {
    const counting = { completionMode: 'NonIndexed', podReplacementPolicy: 'TerminatingOrFailed' } as const;
    const endless = { completions: 1000, backoffLimit: 1000, backoffLimitPerIndex: undefined as never };
    fc.assert(
      fc.property(anySpec, anySteps, (jobSpec, steps) => {
        const world = run({ ...jobSpec, ...counting, ...endless }, steps);
        for (let i = 0; i < 3; i++) hubStep(world, 1000);
        const { succeeded = 0, failed = 0, uncountedTerminatedPods } = world.job.status ?? {};
        assert.equal(uncountedTerminatedPods ?? {}, {});
        assert.is(succeeded + failed, [...world.ended].filter((uid) => !world.dropped.has(uid)).length);
      }),
      { numRuns: 200 },
    );
  });

  it('ends well when all pods from now on do', () => {
    fc.assert(
      fc.property(anySpec, anySteps, (jobSpec, steps) => {
        const world = run(
          {
            ...jobSpec,
            parallelism: (jobSpec.parallelism ?? 0) + 1,
            backoffLimit: 1000,
            backoffLimitPerIndex: undefined as never,
          },
          steps,
        );
        for (let i = 0; i < 80 && jobFinished(world.job) === undefined; i++) {
          world.atS += 3600;
          hubStep(world, 1000);
          happen(world, 'gone', 0);
          const stopping = world.pods.findIndex((p) => p.metadata.deletionTimestamp !== undefined);
          if (stopping >= 0)
            world.pods = world.pods.map((p, at) =>
              at === stopping ? { ...p, metadata: { ...p.metadata, deletionGracePeriodSeconds: 0 } } : p,
            );
          world.pods = world.pods.filter((p) => isTracked(p) || p.metadata.deletionGracePeriodSeconds !== 0);
          for (const pod of world.pods.filter(isActive))
            happen(world, 'succeed', world.pods.filter((p) => p.status?.phase === 'Running').indexOf(pod));
        }
        assert.is(jobFinished(world.job), 'Complete');
        const { succeeded } = world.job.status ?? {};
        assert.ok((succeeded ?? 0) >= (jobSpec.completions ?? 0));
      }),
      { numRuns: 100 },
    );
  });

  it('does not depend on the order of its pods', () => {
    fc.assert(
      fc.property(anySpec, anySteps, fc.integer({ min: 1, max: 9 }), (jobSpec, steps, turn) => {
        const { job, pods, atS } = run(jobSpec, steps);
        const turned = [
          ...pods.slice(turn % Math.max(1, pods.length)),
          ...pods.slice(0, turn % Math.max(1, pods.length)),
        ].reverse();
        const sets = (order: readonly Pod[]) => {
          const { create, remove, stop, release, status } = planJob(jobWorld(job, order, atS));
          const names = (list: readonly Pod[]): string[] => list.map((p) => p.metadata.uid).sort();
          return { create, remove: names(remove), stop: names(stop), release: names(release), status };
        };
        assert.equal(sets(turned), sets(pods));
      }),
      { numRuns: 150 },
    );
  });
});
