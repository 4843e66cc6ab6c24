import * as assert from 'uvu/assert';
import { withContainer, withRun } from '../../../../edge-agent/decide/pod-memory.ts';
import { podStatus } from '../../../../edge-agent/decide/pod-status.ts';
import type { PodSpec, PodStatus } from '../../../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { ModelPod } from '../../../fakes/model-pod.ts';
import { spec } from '../../../spec.ts';

function settled(podSpec: Partial<PodSpec> = {}): ModelPod {
  const world = new ModelPod(desiredPod('p', podSpec));
  world.settle();
  return world;
}

const condition = (status: PodStatus, type: string) => status.conditions?.find((c) => c.type === type);
const first = (status: PodStatus) => status.containerStatuses?.[0];

spec('podStatus', (it) => {
  it('shows a pod that has not begun as Pending', () => {
    const status = new ModelPod(desiredPod('p')).status();
    assert.is(status.phase, 'Pending');
    assert.equal(first(status)?.state, { waiting: { reason: 'ContainerCreating' } });
    assert.is(condition(status, 'Ready')?.status, 'False');
    assert.is(condition(status, 'Ready')?.reason, 'ContainersNotReady');
    assert.is(condition(status, 'PodScheduled')?.status, 'True');
  });

  it('shows a running pod with its addresses and conditions', () => {
    const status = settled().status();
    assert.is(status.phase, 'Running');
    assert.is(status.podIP, '10.1.1.2');
    assert.is(status.hostIP, '10.0.0.1');
    assert.is(status.qosClass, 'BestEffort');
    for (const type of ['PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready'])
      assert.is(condition(status, type)?.status, 'True', type);
    assert.is(first(status)?.ready, true);
    assert.is(first(status)?.restartCount, 0);
  });

  it('is ready only once the readiness probe says so', () => {
    const world = settled({ containers: [container({ readinessProbe: { exec: { command: ['true'] } } })] });
    assert.is(first(world.status())?.ready, false);
    const run = { started: true, ready: true, healthy: true };
    world.memory = withRun(world.memory, world.containers[0]?.id ?? '', run, run);
    assert.is(condition(world.status(), 'Ready')?.status, 'True');
  });

  it('shows crash back-off with the last state, and the pod as Running', () => {
    const world = settled();
    for (let i = 0; i < 2; i++) {
      world.exit(world.containers.at(-1)?.id ?? '', 3);
      if (i === 0) world.settle();
    }
    const status = world.status();
    assert.is(status.phase, 'Running');
    assert.is(first(status)?.state?.waiting?.reason, 'CrashLoopBackOff');
    assert.match(
      first(status)?.state?.waiting?.message ?? '',
      /^back-off 10s restarting failed container=main pod=p_/,
    );
    assert.is(first(status)?.lastState?.terminated?.exitCode, 3);
    assert.is(first(status)?.restartCount, 1);
  });

  it('names the end of a container', () => {
    const world = settled({ restartPolicy: 'Never' });
    const ended = (change: object) => {
      const one = new ModelPod(world.pod);
      one.containers = world.containers.map((c) => ({ ...c, state: 'exited', exitCode: 1, ...change }));
      return first(one.status())?.state?.terminated?.reason;
    };
    assert.is(ended({}), 'Error');
    assert.is(ended({ exitCode: 0 }), 'Completed');
    assert.is(ended({ exitCode: 137, oomKilled: true }), 'OOMKilled');
  });

  it('shows fresh pull failures as ErrImagePull, then as ImagePullBackOff', () => {
    const world = new ModelPod(desiredPod('p'));
    const failure = {
      reason: 'ErrImagePull',
      message: 'no',
      failedMs: 0,
      retryAtMs: 9e9,
      failures: 1,
    } as const;
    const image = { ref: 'busybox:2', state: 'failed', failure } as const;
    world.memory = withContainer(world.memory, 'main', { image });
    assert.is(first(world.status())?.state?.waiting?.reason, 'ErrImagePull');
    world.nowMs = 5_000;
    assert.is(first(world.status())?.state?.waiting?.reason, 'ImagePullBackOff');
    assert.is(world.status().phase, 'Pending');
  });

  it('stays Pending while init containers run, and fails when one may not be repeated', () => {
    const world = new ModelPod(
      desiredPod('p', { restartPolicy: 'Never', initContainers: [container({ name: 'i' })] }),
    );
    world.fates = { i: 'fails' };
    assert.is(world.status().phase, 'Pending');
    assert.is(first(world.status())?.state?.waiting?.reason, 'PodInitializing');
    assert.is(condition(world.status(), 'Initialized')?.reason, 'ContainersNotInitialized');
    world.settle();
    assert.is(world.status().phase, 'Failed');
  });

  it('keeps transition times that still hold, and takes the present for what changed', () => {
    const world = settled();
    const before = world.status();
    world.nowMs = 60_000;
    world.exit(world.containers[0]?.id ?? '', 1);
    const after = podStatus(world.view(), { hostIp: '10.0.0.1', wallMs: 1_060_000, previous: before });
    const time = (status: PodStatus, type: string) => condition(status, type)?.lastTransitionTime;
    assert.is(time(after, 'Initialized'), time(before, 'Initialized'));
    assert.is(time(after, 'Ready'), '1970-01-01T00:17:40Z');
  });

  it('gives the same status for the same pod to an agent that knows no earlier report', () => {
    const world = settled();
    const again = new ModelPod(world.pod);
    again.containers = world.containers;
    again.settle();
    again.nowMs = 500_000;
    assert.equal(again.status(), world.status());
  });
});
