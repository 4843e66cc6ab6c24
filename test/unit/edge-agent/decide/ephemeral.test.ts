import * as assert from 'uvu/assert';
import { containerConfig } from '../../../../edge-agent/decide/container-config.ts';
import type { ContainerSpec } from '../../../../edge-agent/decide/container-spec.ts';
import type { PodSpec } from '../../../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { ModelPod } from '../../../fakes/model-pod.ts';
import { spec } from '../../../spec.ts';

const LOOK = { ...container({ name: 'look' }), targetContainerName: 'main' };
const TWO = { containers: [container({ name: 'main' }), container({ name: 'side' })] };

/** A pod at rest to which `look` is then added. */
function debugged(podSpec: Partial<PodSpec> = {}): ModelPod {
  const world = new ModelPod(desiredPod('p', podSpec));
  world.settle();
  world.pod = desiredPod('p', { ...podSpec, ephemeralContainers: [LOOK] });
  world.done.length = 0;
  return world;
}

const states = (world: ModelPod): string[] => world.containers.map((c) => `${c.name} ${c.role} ${c.state}`);
const idOf = (world: ModelPod, name: string): string =>
  world.containers.findLast((c) => c.name === name)?.id ?? '';

function configOf(podSpec: Partial<PodSpec>, sandboxId?: string, processesId?: string): ContainerSpec {
  const joins = { networkId: sandboxId ?? 'owner', ...(processesId === undefined ? {} : { processesId }) };
  const made = containerConfig(desiredPod('p', podSpec), LOOK, {
    name: 'c',
    labels: {},
    env: new Map(),
    imageUser: '',
    mounts: [],
    devices: [],
    podIp: '10.1.1.2',
    memoryLimits: true,
    cpuLimits: true,
    nodeMemoryBytes: 2 ** 30,
    lowestOomScore: -1000,
    joins,
    ...(sandboxId === undefined ? {} : { sandboxId }),
  });
  if (!made.ok) throw new Error(made.message);
  return made.value;
}

spec('ephemeral containers of a pod', (it) => {
  it('are made beside what runs, which is left alone', () => {
    const world = debugged();
    world.settle();
    assert.equal(world.done, ['fetch', 'create', 'start', 'idle']);
    assert.equal(states(world), ['main app running', 'look ephemeral running']);
  });

  it('are told in a list of their own and count for nothing else', () => {
    const world = debugged();
    const before = world.status();
    world.settle();
    const { ephemeralContainerStatuses: told = [], ...after } = world.status();
    assert.equal([told.length, told[0]?.name, told[0]?.ready], [1, 'look', false]);
    assert.ok(told[0]?.state?.running);
    const { ephemeralContainerStatuses: _, ...rest } = before;
    assert.equal(after, rest);
  });

  it('are never made again', () => {
    const world = debugged();
    world.settle();
    world.exit(idOf(world, 'look'), 3);
    world.done.length = 0;
    world.settle();
    assert.equal(world.done, ['idle']);
    assert.is(world.status().ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode, 3);
    world.containers = world.containers.filter((c) => c.name !== 'look');
    world.settle();
    assert.equal(states(world), ['main app running']);
  });

  it('wait for the container they look into', () => {
    const world = debugged({ ...TWO, restartPolicy: 'Never' });
    world.exit(idOf(world, 'main'), 1);
    world.settle();
    assert.not.ok(world.containers.some((c) => c.name === 'look'));
    assert.ok(world.status().ephemeralContainerStatuses?.[0]?.state?.waiting);
  });

  it('do not keep a pod from ending, and end with it', () => {
    const world = debugged({ restartPolicy: 'Never' });
    world.settle();
    world.exit(idOf(world, 'main'), 0);
    world.settle();
    assert.equal(states(world), ['main app exited', 'look ephemeral exited']);
    assert.is(world.status().phase, 'Succeeded');
  });

  it('go when the pod is deleted', () => {
    const world = debugged(TWO);
    world.settle();
    world.removed = true;
    world.settle();
    assert.equal(world.containers, []);
    assert.ok(world.memory.gone);
  });

  it('share the network of the one container, and its processes when asked', () => {
    const alone = configOf({});
    assert.equal(
      [alone.network, alone.pid, alone.ipc],
      [{ kind: 'join', containerId: 'owner' }, 'private', 'private'],
    );
    assert.equal(configOf({}, undefined, 'target').pid, { join: 'target' });
    assert.is(alone.hostname, undefined, 'a joined network brings its name');
    assert.equal(configOf({ hostNetwork: true }).network, { kind: 'host' });
  });

  it("share the sandbox's namespaces in a pod that has one", () => {
    const made = configOf(TWO, 'box', 'target');
    assert.equal(
      [made.network, made.pid, made.ipc],
      [{ kind: 'join', containerId: 'box' }, { join: 'target' }, { join: 'box' }],
    );
  });
});
