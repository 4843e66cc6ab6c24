import * as assert from 'uvu/assert';
import { planJob } from '../../../../hub/decide/job.ts';
import { jobFinished } from '../../../../hub/decide/job-facts.ts';
import type { Job } from '../../../../protocol/kinds/batch.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { jobWorld, plainJob, jobPodOf as pod } from '../../../build/jobs.ts';
import { spec } from '../../../spec.ts';

const MANY = 1600;
const modes = ['Indexed', 'NonIndexed'] as const;

/** A job whose pods all came to work at once, of which the first `ended` have ended. */
function crowd(mode: (typeof modes)[number], ended: number, phase: 'Succeeded' | 'Failed'): [Job, Pod[]] {
  const job = plainJob({ completions: MANY, parallelism: MANY, completionMode: mode, backoffLimit: MANY });
  const pods = Array.from({ length: MANY }, (_, index) =>
    pod(`p${String(index).padStart(4, '0')}`, { index, phase: index < ended ? phase : 'Running' }),
  );
  return [job, pods];
}

/** The controller's passes as long as each is called by what the one before has written. */
function passes(job: Job, pods: Pod[]): { job: Job; made: number; passes: number } {
  let [now, made] = [job, 0];
  for (let count = 1; ; count++) {
    const plan = planJob(jobWorld(now, pods));
    made += plan.create.length;
    now = { ...now, status: plan.status };
    const released = new Set(plan.release.map((p) => p.metadata.uid));
    for (const [i, p] of pods.entries())
      if (released.has(p.metadata.uid)) pods[i] = { ...p, metadata: { ...p.metadata, finalizers: [] } };
    // Nothing was written: nobody would call again.
    if (!plan.changed && plan.release.length === 0) return { job: now, made, passes: count };
  }
}

spec('a job of which many pods end at once', (it) => {
  for (const mode of modes) {
    it(`does no work again that is done, ${mode}`, () => {
      const [job, pods] = crowd(mode, 1500, 'Succeeded');
      assert.equal(planJob(jobWorld(job, pods)).create, []);
      assert.equal(planJob(jobWorld(job, pods)).remove, []);
    });

    it(`writes them down a part at a time, each pass called by the one before, to the end, ${mode}`, () => {
      const [job, pods] = crowd(mode, MANY, 'Succeeded');
      const end = passes(job, pods);
      assert.equal([jobFinished(end.job), end.job.status?.succeeded, end.made], ['Complete', MANY, 0]);
      assert.ok(pods.every((p) => p.metadata.finalizers?.length === 0));
      assert.equal(end.job.status?.uncountedTerminatedPods, {});
    });

    it(`counts every failure once, and fails at its limit with those that are not written down yet, ${mode}`, () => {
      const [job, pods] = crowd(mode, 1500, 'Failed');
      const plan = planJob(jobWorld({ ...job, spec: { ...job.spec, backoffLimit: 1000 } }, pods));
      assert.is(plan.isEnding, true);
      const rest = crowd(mode, MANY, 'Failed')[1];
      const end = passes({ ...job, spec: { ...job.spec, backoffLimit: 1000 } }, rest);
      assert.equal([jobFinished(end.job), end.job.status?.failed, end.made], ['Failed', MANY, 0]);
    });
  }
});
