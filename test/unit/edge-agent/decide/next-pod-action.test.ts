import * as assert from 'uvu/assert';
import { nextPodAction } from '../../../../edge-agent/decide/next-pod-action.ts';
import { withContainer, withRun } from '../../../../edge-agent/decide/pod-memory.ts';
import type { PodAction } from '../../../../edge-agent/decide/pod-view.ts';
import type { PodSpec } from '../../../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { ModelPod } from '../../../fakes/model-pod.ts';
import { spec } from '../../../spec.ts';

/** The actions of a pod from nothing to rest. */
function actionsOf(podSpec: Partial<PodSpec>): PodAction['do'][] {
  const world = new ModelPod(desiredPod('p', podSpec));
  world.settle();
  return world.done;
}

function settled(podSpec: Partial<PodSpec> = {}): ModelPod {
  const world = new ModelPod(desiredPod('p', podSpec));
  world.settle();
  world.done.length = 0;
  return world;
}

const runningId = (world: ModelPod, name = 'main'): string =>
  world.containers.find((c) => c.name === name && c.state === 'running')?.id ?? '';

const TWO = { containers: [container({ name: 'main' }), container({ name: 'side' })] };

spec('nextPodAction', (it) => {
  it('makes a pod of one container without a sandbox', () => {
    assert.equal(actionsOf({}), ['mount', 'address', 'fetch', 'create', 'start', 'idle']);
  });

  it('makes the sandbox of a pod of two first', () => {
    assert.equal(actionsOf(TWO), [
      ...['mount', 'address', 'create', 'start'],
      ...['fetch', 'create', 'start', 'fetch', 'create', 'start', 'idle'],
    ]);
  });

  it('needs no address on the host network', () => {
    assert.not(actionsOf({ hostNetwork: true }).includes('address'));
  });

  it('runs init containers one after the other, before the others', () => {
    const world = new ModelPod(
      desiredPod('p', { initContainers: [container({ name: 'i' }), container({ name: 'j' })] }),
    );
    world.settle();
    assert.equal(
      world.containers.map((c) => `${c.name} ${c.state}`),
      ['i exited', 'j exited', 'main running'],
    );
  });

  it('waits for a sidecar to have started before it goes on', () => {
    const sidecar = container({
      name: 's',
      restartPolicy: 'Always',
      startupProbe: { exec: { command: ['true'] } },
    });
    const world = settled({ initContainers: [sidecar] });
    assert.equal(
      world.containers.filter((c) => c.role !== 'sandbox').map((c) => c.name),
      ['s'],
    );
    const run = { started: true, ready: true, healthy: true };
    world.memory = withRun(world.memory, runningId(world, 's'), run, run);
    world.settle();
    assert.ok(runningId(world) !== '');
  });

  it('restarts a crashed container at once, and the second time after ten seconds', () => {
    const world = settled();
    world.nowMs = 5_000;
    world.exit(runningId(world), 1);
    assert.is(nextPodAction(world.view()).do, 'create');
    world.settle();
    world.nowMs = 6_000;
    world.exit(runningId(world), 1);
    assert.equal(nextPodAction(world.view()), { do: 'wait', untilMs: 16_000 });
    world.nowMs = 16_000;
    assert.is(nextPodAction(world.view()).do, 'create');
  });

  it('forgets crashes of a container that ran for more than ten minutes', () => {
    const world = settled();
    world.exit(runningId(world), 1);
    world.settle();
    world.nowMs += 11 * 60_000;
    world.exit(runningId(world), 1);
    assert.is(nextPodAction(world.view()).do, 'create');
  });

  const policies = [
    ['Always', 0, 'create'],
    ['Always', 1, 'create'],
    ['OnFailure', 0, 'end'],
    ['OnFailure', 1, 'create'],
    ['Never', 0, 'end'],
    ['Never', 1, 'end'],
  ] as const;
  for (const [restartPolicy, exitCode, expected] of policies) {
    it(`${restartPolicy}: after exit ${exitCode} comes ${expected}`, () => {
      const world = settled({ restartPolicy });
      world.exit(runningId(world), exitCode);
      assert.is(nextPodAction(world.view()).do, expected);
    });
  }

  it('replaces a container whose image was changed, without back-off', () => {
    const world = settled();
    world.pod = desiredPod('p', { containers: [container({ image: 'busybox:latest' })] });
    world.settle(world.nowMs + 5_000);
    const live = world.containers.filter((c) => c.state === 'running');
    assert.equal(
      live.map((c) => `${c.image} ${c.attempt}`),
      ['busybox:latest 1'],
    );
  });

  it('restarts what its probes condemn', () => {
    const world = settled();
    const run = { started: true, ready: true, healthy: false };
    world.memory = withRun(world.memory, runningId(world), run, run);
    const action = nextPodAction(world.view());
    assert.is(action.do === 'stop' && action.why, 'Unhealthy');
  });

  it('makes everything anew when the sandbox died', () => {
    const world = settled(TWO);
    world.exit(world.containers.find((c) => c.role === 'sandbox')?.id ?? '', 137);
    const first = nextPodAction(world.view());
    assert.is(first.do === 'stop' && first.why, 'SandboxChanged');
    world.settle();
    const live = world.containers.filter((c) => c.state === 'running');
    assert.equal(live.map((c) => c.attempt).toSorted(), [1, 1, 1]);
  });

  it('signals, waits for the grace and then kills', () => {
    const world = settled({ terminationGracePeriodSeconds: 30 });
    world.obeysTerm = false;
    world.pod = {
      ...world.pod,
      metadata: { ...world.pod.metadata, deletionTimestamp: 'x', deletionGracePeriodSeconds: 30 },
    };
    world.settle();
    assert.equal(world.done, [
      ...['begin-termination', 'stop', 'signal', 'wait', 'kill'],
      ...['end', 'remove', 'release', 'gone', 'idle'],
    ]);
    assert.is(world.nowMs, 30_000);
  });

  it('does not go back from terminating when the pod is desired again', () => {
    const world = settled();
    world.removed = true;
    world.perform(nextPodAction(world.view()));
    world.removed = false;
    world.settle();
    assert.ok(world.memory.gone);
  });

  it('fails a pod at its deadline and keeps its container', () => {
    const world = new ModelPod(desiredPod('p', { activeDeadlineSeconds: 60 }));
    world.settle(30_000);
    assert.equal(nextPodAction(world.view()), { do: 'wait', untilMs: 60_000 });
    world.settle(3_600_000);
    assert.is(world.memory.ended?.phase, 'Failed');
    assert.is(world.memory.ended?.reason, 'DeadlineExceeded');
    assert.is(world.containers.length, 1);
  });

  it('keeps one dead container of a name', () => {
    const world = settled();
    for (let i = 0; i < 4; i++) {
      world.exit(runningId(world), 1);
      world.settle();
    }
    assert.equal(
      world.containers.map((c) => `${c.attempt} ${c.state}`),
      ['3 exited', '4 running'],
    );
  });

  it('waits out a failed pull, and shows its failure first as fresh', () => {
    const world = new ModelPod(desiredPod('p'));
    for (let i = 0; i < 2; i++) world.perform(nextPodAction(world.view()));
    const failure = {
      reason: 'ErrImagePull',
      message: 'no',
      failedMs: 0,
      retryAtMs: 10_000,
      failures: 1,
    } as const;
    world.memory = withContainer(world.memory, 'main', {
      image: { ref: 'busybox:2', state: 'failed', failure },
    });
    assert.equal(nextPodAction(world.view()), { do: 'wait', untilMs: 1_000 });
    world.nowMs = 1_000;
    assert.equal(nextPodAction(world.view()), { do: 'wait', untilMs: 10_000 });
    world.nowMs = 10_000;
    assert.is(nextPodAction(world.view()).do, 'fetch');
  });

  it('refreshes volumes whose content changed, without touching the container', () => {
    const world = settled();
    world.volumeRevision = 'v2';
    world.settle();
    assert.equal(world.done, ['mount', 'idle']);
  });

  it('runs init containers again after a reboot, but not after a crash', () => {
    const world = settled({ initContainers: [container({ name: 'i' })] });
    world.exit(runningId(world), 1);
    world.settle();
    assert.is(world.containers.filter((c) => c.name === 'i').length, 1);
    world.exit(runningId(world), 137);
    world.containers = world.containers.map((c) => ({ ...c, generation: 'earlier boot' }));
    world.settle();
    assert.is(world.containers.filter((c) => c.name === 'i').length, 2);
  });
});
