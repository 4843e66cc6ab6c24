/** Autoscalers over simulated time: never out of bounds, never faster than told, never moved by noise. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { judgeAutoscaler } from '../../hub/decide/hpa.ts';
import type { HpaMemory } from '../../hub/decide/hpa-types.ts';
import type { HorizontalPodAutoscaler } from '../../protocol/kinds/autoscaling.ts';
import { autoscaler, HPA_NOW, hpaWorld } from '../build/hpa.ts';
import { spec } from '../spec.ts';

type Spec = HorizontalPodAutoscaler['spec'];

const STEP_MS = 5_000;
const AIM_MILLI = 50;

/** Replicas after every step of five seconds; `useAt` gives each pod's use, undefined when its device is silent. */
function simulate(
  hpaSpec: Partial<Spec>,
  start: number,
  steps: number,
  useAt: (step: number, replicas: number, pod: number) => number | undefined,
): number[] {
  const hpa = autoscaler(hpaSpec);
  let replicas = start;
  let memory: HpaMemory | undefined;
  const seen: number[] = [];
  for (let step = 0; step < steps; step++) {
    const uses = Array.from({ length: replicas }, (_, pod) => useAt(step, replicas, pod));
    const verdict = judgeAutoscaler(
      hpaWorld(uses, { hpa, replicas, memory, now: HPA_NOW, monotonicMs: 1_000_000 + step * STEP_MS }),
    );
    memory = verdict.memory;
    replicas = verdict.rescale?.to ?? replicas;
    seen.push(replicas);
  }
  return seen;
}

const policy = fc.record({
  type: fc.constantFrom('Pods' as const, 'Percent' as const),
  value: fc.integer({ min: 1, max: 150 }),
  periodSeconds: fc.integer({ min: 5, max: 120 }),
});
const rules = fc.record(
  {
    stabilizationWindowSeconds: fc.integer({ min: 0, max: 400 }),
    selectPolicy: fc.constantFrom('Max' as const, 'Min' as const, 'Disabled' as const),
    policies: fc.array(policy, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);
const loads = fc.array(fc.integer({ min: 0, max: 4_000 }), { minLength: 5, maxLength: 40 });

/** Changes of one direction within any span of the period, counted from the steps. */
function worstChange(seen: readonly number[], start: number, periodMs: number): number {
  const all = [start, ...seen];
  const span = Math.floor((periodMs - 1) / STEP_MS);
  let worst = 0;
  for (let i = 0; i < all.length; i++)
    for (let j = i + 1; j <= Math.min(all.length - 1, i + 1 + span); j++)
      worst = Math.max(worst, Math.abs((all[j] ?? 0) - (all[i] ?? 0)));
  return worst;
}

spec(
  'an autoscaler over time',
  (it) => {
    it('stays between minimum and maximum, whatever the load and the rules', () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 8 }),
          fc.integer({ min: 0, max: 30 }),
          fc.record({ scaleUp: rules, scaleDown: rules }, { requiredKeys: [] }),
          fc.integer({ min: 1, max: 60 }),
          loads,
          (min, more, behavior, start, load) => {
            const bounds = { minReplicas: min, maxReplicas: min + more, behavior };
            const seen = simulate(bounds, start, load.length, (step, n) => (load[step] ?? 0) / n);
            assert.ok(seen.every((n) => n >= min && n <= min + more));
          },
        ),
        { numRuns: 200 },
      );
    });

    it('never adds or removes more in a period than its policy says', () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 6 }),
          fc.integer({ min: 5, max: 90 }),
          fc.constantFrom('up' as const, 'down' as const),
          loads,
          (value, periodSeconds, direction, load) => {
            const free = { type: 'Pods' as const, value, periodSeconds };
            const moving = { stabilizationWindowSeconds: 0, policies: [free] };
            const still = { selectPolicy: 'Disabled' as const };
            const behavior =
              direction === 'up'
                ? { scaleUp: moving, scaleDown: still }
                : { scaleUp: still, scaleDown: moving };
            const start = direction === 'up' ? 1 : 100;
            const hpa = { minReplicas: 1, maxReplicas: 100, behavior };
            const seen = simulate(hpa, start, load.length, (step, n) => (load[step] ?? 0) / n);
            assert.ok(worstChange(seen, start, periodSeconds * 1000) <= value);
          },
        ),
        { numRuns: 200 },
      );
    });

    it('gives the same answer to the same question, in whatever order the pods come', () => {
      fc.assert(
        fc.property(
          fc.array(fc.option(fc.integer({ min: 0, max: 300 }), { nil: undefined }), { maxLength: 20 }),
          fc.integer({ min: 0, max: 20 }),
          (uses, replicas) => {
            const world = hpaWorld(uses, { replicas });
            const first = judgeAutoscaler(world);
            assert.equal(judgeAutoscaler(world), first);
            assert.equal(judgeAutoscaler({ ...world, pods: world.pods.toReversed() }), first);
          },
        ),
        { numRuns: 300 },
      );
    });

    it('has nothing more to do when the load is spread over what it asked for', () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 1_900 }), fc.integer({ min: 1, max: 40 }), (load, start) => {
          const seen = simulate({ minReplicas: 1, maxReplicas: 60 }, start, 150, (_step, n) => load / n);
          assert.is(new Set(seen.slice(-20)).size, 1, seen.join(' '));
        }),
        { numRuns: 40 },
      );
    });

    it('is not moved by noise within its tolerance', () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 2, max: 20 }),
          fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 200, maxLength: 200 }),
          (start, noise) => {
            const useAt = (step: number, n: number, pod: number): number => {
              const swing = noise[(step * 7 + pod * 13) % noise.length] ?? 0;
              return (AIM_MILLI * start * (100 + swing)) / 100 / n;
            };
            const seen = simulate({ minReplicas: 1, maxReplicas: 60 }, start, 200, useAt);
            assert.ok(seen.every((n) => n === start));
          },
        ),
        { numRuns: 20 },
      );
    });

    it('does not flap on wild noise: after adding, it removes nothing for five minutes', () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 10 }),
          fc.array(fc.integer({ min: 20, max: 250 }), { minLength: 60, maxLength: 300 }),
          (start, swings) => {
            const useAt = (step: number, n: number): number =>
              (AIM_MILLI * start * (swings[step % swings.length] ?? 100)) / 100 / n;
            const seen = [start, ...simulate({ minReplicas: 1, maxReplicas: 60 }, start, 400, useAt)];
            let addedAt = Number.NEGATIVE_INFINITY;
            for (let step = 1; step < seen.length; step++) {
              const change = (seen[step] ?? 0) - (seen[step - 1] ?? 0);
              if (change > 0) addedAt = step;
              if (change < 0) assert.ok((step - addedAt) * STEP_MS >= 300_000, `removed at step ${step}`);
            }
          },
        ),
        { numRuns: 20 },
      );
    });

    it('never moves on silence', () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 10 }), (start) => {
          const seen = simulate({ minReplicas: 1, maxReplicas: 10 }, start, 200, () => undefined);
          assert.ok(seen.every((n) => n === start));
        }),
      );
    });
  },
  { caseTimeoutMs: 60_000 },
);
