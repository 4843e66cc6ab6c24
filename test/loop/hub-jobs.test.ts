import * as assert from 'uvu/assert';
import { JOB_TRACKING } from '../../hub/decide/job-facts.ts';
import { HubWorld } from '../build/hub-world.ts';
import {
  conditionsOf,
  createJob,
  endPod,
  eventsOf,
  jobOf,
  onceTemplate,
  podsOf,
  runningOf,
} from '../build/jobs.ts';
import { MemoryLink } from '../fakes/memory-devices.ts';
import { spec } from '../spec.ts';

spec(
  'the job controller',
  (it) => {
    it('runs six completions three at a time and counts each once', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1', 'worker-2');
      await createJob(world, 'six', { completions: 6, parallelism: 3 });
      let most = 0;
      for (let done = 0; done < 6; done++) {
        await world.until(() => runningOf(world, 'six').length >= Math.min(3, 6 - done));
        most = Math.max(most, runningOf(world, 'six').length);
        const [pod] = runningOf(world, 'six');
        if (pod !== undefined) endPod(devices, pod);
        await world.until(() => (jobOf(world, 'six')?.status?.succeeded ?? 0) === done + 1);
      }
      await world.until(() => conditionsOf(world, 'six').includes('Complete:CompletionsReached'));
      assert.is(most, 3);
      const status = jobOf(world, 'six')?.status;
      assert.equal([status?.succeeded, status?.active, status?.uncountedTerminatedPods], [6, undefined, {}]);
      assert.is.not(status?.completionTime, undefined);
      assert.is(podsOf(world, 'six').length, 6);
      assert.ok(podsOf(world, 'six').every((pod) => !pod.metadata.finalizers?.includes(JOB_TRACKING)));
      assert.ok(eventsOf(world, 'six').includes('Completed: Job completed'));
      await world.stop();
    });

    it('gives each index one success, an environment and a host name', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1');
      await createJob(world, 'ix', { completions: 3, parallelism: 3, completionMode: 'Indexed' });
      await world.until(() => runningOf(world, 'ix').length === 3);
      const pods = runningOf(world, 'ix');
      assert.equal(pods.map((p) => p.spec.hostname).sort(), ['ix-0', 'ix-1', 'ix-2']);
      assert.ok(pods.every((p) => p.spec.containers[0]?.env?.[0]?.name === 'JOB_COMPLETION_INDEX'));
      const two = pods.find((p) => p.spec.hostname === 'ix-2');
      if (two !== undefined) endPod(devices, two);
      await world.until(() => jobOf(world, 'ix')?.status?.completedIndexes === '2');
      for (const pod of pods) if (pod !== two) endPod(devices, pod);
      await world.until(() => conditionsOf(world, 'ix').includes('Complete:CompletionsReached'));
      assert.is(jobOf(world, 'ix')?.status?.completedIndexes, '0-2');
      await world.stop();
    });

    it('tries again after ten seconds, then twenty, and gives up at the limit', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1');
      await createJob(world, 'bad', { backoffLimit: 2 });
      const startedAtMs: number[] = [];
      for (let tries = 0; tries < 3; tries++) {
        await world.until(() => runningOf(world, 'bad').length === 1, 250);
        startedAtMs.push(world.clock.nowMs());
        const [pod] = runningOf(world, 'bad');
        if (pod !== undefined) endPod(devices, pod, 1);
        await world.until(() => runningOf(world, 'bad').length === 0);
      }
      await world.until(() => conditionsOf(world, 'bad').includes('Failed:BackoffLimitExceeded'));
      const [first = 0, second = 0, third = 0] = startedAtMs;
      assert.ok(second - first >= 9_000, `first wait ${second - first}`);
      assert.ok(third - second >= 19_000, `second wait ${third - second}`);
      assert.is(jobOf(world, 'bad')?.status?.failed, 3);
      assert.ok(
        eventsOf(world, 'bad').includes('BackoffLimitExceeded: Job has reached the specified backoff limit'),
      );
      await world.stop();
    });

    it('stops at its deadline, and goes after its time to live', async () => {
      const world = await HubWorld.start();
      await world.devices('worker-1');
      await createJob(world, 'late', { activeDeadlineSeconds: 30, ttlSecondsAfterFinished: 60 });
      await world.until(() => runningOf(world, 'late').length === 1);
      await world.until(() => conditionsOf(world, 'late').includes('Failed:DeadlineExceeded'), 500);
      assert.equal(conditionsOf(world, 'late'), [
        'FailureTarget:DeadlineExceeded',
        'Failed:DeadlineExceeded',
      ]);
      assert.is(podsOf(world, 'late').length, 0);
      await world.until(() => jobOf(world, 'late') === undefined, 1000);
      await world.stop();
    });

    it('suspends and resumes with a new start', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1');
      await createJob(world, 'pause', { parallelism: 2, completions: 2, suspend: true });
      await world.until(() => conditionsOf(world, 'pause').includes('Suspended:JobSuspended'));
      assert.is(jobOf(world, 'pause')?.status?.startTime, undefined);
      const suspend = (value: boolean): Promise<unknown> =>
        world.store.modify('Job', 'default', 'pause', (draft) => {
          draft.spec.suspend = value;
          return true;
        });
      await suspend(false);
      await world.until(() => runningOf(world, 'pause').length === 2);
      await suspend(true);
      await world.until(() => podsOf(world, 'pause').length === 0);
      await world.until(() => jobOf(world, 'pause')?.status?.active === undefined);
      assert.is(jobOf(world, 'pause')?.status?.failed, undefined);
      await suspend(false);
      await world.until(() => runningOf(world, 'pause').length === 2);
      for (const pod of runningOf(world, 'pause')) endPod(devices, pod);
      await world.until(() => conditionsOf(world, 'pause').includes('Complete:CompletionsReached'));
      assert.equal(eventsOf(world, 'pause').filter((e) => /^(Suspended|Resumed)/.test(e)).length > 0, true);
      await world.stop();
    });

    it('counts once what ended while its device was cut off', async () => {
      const world = await HubWorld.start();
      const [device] = await world.devices('worker-1');
      const patient = onceTemplate();
      patient.spec.tolerations = ['node.kubernetes.io/unreachable', 'node.kubernetes.io/not-ready'].map(
        (key) => ({
          key,
          operator: 'Exists',
          effect: 'NoExecute',
        }),
      );
      await createJob(world, 'away', { template: patient });
      await world.until(() => runningOf(world, 'away').length === 1);
      const [pod] = runningOf(world, 'away');
      device?.cut();
      await world.until(() => !world.isReady('worker-1'), 500);
      device?.end(pod?.metadata.uid ?? '');
      await world.clock.advance(60_000);
      assert.is(jobOf(world, 'away')?.status?.succeeded, undefined);
      device?.connect();
      await world.until(() => conditionsOf(world, 'away').includes('Complete:CompletionsReached'));
      assert.equal([jobOf(world, 'away')?.status?.succeeded, podsOf(world, 'away').length], [1, 1]);
      await world.stop();
    });

    it('replaces the pod of a lost node, and does not wait for its end', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1', 'worker-2');
      await createJob(world, 'moved', {});
      await world.until(() => runningOf(world, 'moved').length === 1);
      const [first] = runningOf(world, 'moved');
      const lost = devices.find((d) => d.name === first?.spec.nodeName);
      lost?.cut();
      const next = (): boolean =>
        runningOf(world, 'moved').some((p) => p.metadata.uid !== first?.metadata.uid);
      await world.until(next, 250);
      for (const pod of runningOf(world, 'moved')) if (pod !== first) endPod(devices, pod);
      await world.until(() => conditionsOf(world, 'moved').includes('Complete:CompletionsReached'));
      assert.equal([jobOf(world, 'moved')?.status?.succeeded, jobOf(world, 'moved')?.status?.failed], [1, 1]);
      lost?.connect(false);
      await world.until(() => world.store.byUid('Pod', first?.metadata.uid ?? '') === undefined);
      assert.is(jobOf(world, 'moved')?.status?.succeeded, 1);
      await world.stop();
    });

    it('neither counts nor doubles what a lost node took, where its policy says so', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1', 'worker-2');
      const rule = {
        action: 'Ignore',
        onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }],
      } as const;
      await createJob(world, 'calm', {
        backoffLimit: 0,
        podFailurePolicy: { rules: [{ ...rule, onPodConditions: [...rule.onPodConditions] }] },
      });
      await world.until(() => runningOf(world, 'calm').length === 1);
      const [first] = runningOf(world, 'calm');
      const lost = devices.find((d) => d.name === first?.spec.nodeName);
      lost?.cut();
      const isLeaving = (): boolean =>
        podsOf(world, 'calm').some((p) => p.metadata.deletionTimestamp !== undefined);
      await world.until(isLeaving, 250);
      await world.clock.advance(30_000);
      assert.is(podsOf(world, 'calm').length, 1, 'only an ended pod is replaced');
      lost?.connect(false);
      await world.until(
        () => runningOf(world, 'calm').some((p) => p.metadata.uid !== first?.metadata.uid),
        50,
      );
      for (const pod of runningOf(world, 'calm')) endPod(devices, pod);
      await world.until(() => conditionsOf(world, 'calm').includes('Complete:CompletionsReached'));
      assert.equal(
        [jobOf(world, 'calm')?.status?.succeeded, jobOf(world, 'calm')?.status?.failed],
        [1, undefined],
      );
      await world.stop();
    });

    it('lets go of its pods when it is deleted', async () => {
      const world = await HubWorld.start();
      await world.devices('worker-1');
      for (const [name, propagation] of [
        ['bg', 'Background'],
        ['fg', 'Foreground'],
      ] as const) {
        await createJob(world, name, { parallelism: 2, completions: 2 });
        await world.until(() => runningOf(world, name).length === 2);
        await world.store.delete('Job', 'default', name, { propagation });
        await world.until(() => jobOf(world, name) === undefined && podsOf(world, name).length === 0);
      }
      await createJob(world, 'orphans', {});
      await world.until(() => runningOf(world, 'orphans').length === 1);
      await world.store.delete('Job', 'default', 'orphans', { propagation: 'Orphan' });
      await world.until(() => jobOf(world, 'orphans') === undefined);
      await world.until(() => podsOf(world, 'orphans').every((p) => p.metadata.finalizers === undefined));
      assert.is(podsOf(world, 'orphans').length, 1);
      await world.stop();
    });

    it('goes on where the hub before it stopped', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1');
      await createJob(world, 'on', { completions: 4, parallelism: 2 });
      await world.until(() => runningOf(world, 'on').length === 2);
      const [one] = runningOf(world, 'on');
      if (one !== undefined) endPod(devices, one);
      await world.stop(true);
      const link = new MemoryLink();
      const { clock, directory } = world;
      const after = await HubWorld.start({ directory, clock, link });
      for (const device of devices) after.adopt(device);
      for (let left = 4; left > 0; left--) {
        await after.until(() => conditionsOf(after, 'on').length > 0 || runningOf(after, 'on').length > 0);
        const [pod] = runningOf(after, 'on');
        if (pod !== undefined) endPod(devices, pod);
        await after.until(
          () =>
            pod === undefined || after.store.byUid('Pod', pod.metadata.uid)?.status?.phase === 'Succeeded',
        );
      }
      await after.until(() => conditionsOf(after, 'on').includes('Complete:CompletionsReached'));
      assert.equal([jobOf(after, 'on')?.status?.succeeded, podsOf(after, 'on').length], [4, 4]);
      await after.stop();
    });
  },
  { caseTimeoutMs: 20_000 },
);
