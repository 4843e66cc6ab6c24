import * as assert from 'uvu/assert';
import type { ContainerView } from '../../edge-agent/decide/container.ts';
import { writeLabels } from '../../edge-agent/decide/container.ts';
import type { ContainerSpec } from '../../edge-agent/decide/container-spec.ts';
import { isRuntimeError, type RuntimeReason } from '../../edge-agent/decide/runtime-error.ts';
import type { ImageStore } from '../../edge-agent/defence/ports.ts';
import type { EngineEvent, Runtime as PodRuntime } from '../../edge-agent/pods/ports.ts';
import { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import { MemoryRuntime } from '../../edge-agent/runtime/memory.ts';
import { systemClock } from '../../kit/clock.ts';
import { canRunEngine, type PrivateEngine, startEngine, until } from '../e2e/private-engine.ts';
import { spec } from '../spec.ts';

const NETWORK = {
  name: 'coxswain',
  bridge: 'cox0',
  cidr: '10.201.5.0/24',
  gateway: '10.201.5.1',
  masquerade: true,
};

type Runtime = PodRuntime & ImageStore;

let counter = 0;

function containerSpec(command: readonly string[], overrides: Partial<ContainerSpec> = {}): ContainerSpec {
  const number = ++counter;
  const labels = writeLabels({
    podUid: `uid-${number}`,
    podName: `pod-${number}`,
    podNamespace: 'default',
    name: 'main',
    role: 'app',
    attempt: 0,
    specHash: 'abc',
    generation: 'boot',
  });
  return {
    name: `cox_main_pod-${number}`,
    image: 'busybox:latest',
    labels,
    entrypoint: command,
    env: [],
    groups: [],
    extraHosts: [],
    network: { kind: 'pod', ip: `10.201.5.${10 + number}` },
    pid: 'private',
    ipc: 'private',
    ports: [],
    mounts: [],
    devices: [],
    limits: {},
    security: {
      privileged: false,
      readOnlyRoot: false,
      noNewPrivileges: false,
      capAdd: [],
      capDrop: [],
      sysctls: {},
    },
    stdin: false,
    stdinOnce: false,
    tty: false,
    ...overrides,
  };
}

async function refusal(run: () => Promise<unknown>): Promise<RuntimeReason | undefined> {
  try {
    await run();
  } catch (error) {
    if (isRuntimeError(error)) return error.reason;
    throw error;
  }
  return undefined;
}

interface Subject {
  readonly make: () => Promise<Runtime>;
  readonly close: () => Promise<void>;
}

function contract(name: string, subject: Subject): void {
  let runtime: Runtime;
  const before = async (): Promise<void> => {
    runtime = await subject.make();
    await runtime.ensureNetwork(NETWORK);
  };
  const state = async (id: string): Promise<ContainerView['state'] | undefined> =>
    (await runtime.inspect(id))?.state;
  const ended = (id: string): Promise<void> =>
    until('exit', async () => (await state(id)) === 'exited', 8_000);
  const started = async (
    command: readonly string[],
    overrides: Partial<ContainerSpec> = {},
  ): Promise<string> => {
    const id = await runtime.create(containerSpec(command, overrides));
    await runtime.start(id);
    return id;
  };

  spec(
    `runtime contract: ${name}`,
    (it) => {
      it('creates, starts, lists and removes', async () => {
        const id = await runtime.create(containerSpec(['sleep', '1000']));
        assert.is(await state(id), 'created');
        await runtime.start(id);
        const view = (await runtime.list()).find((c) => c.id === id);
        assert.is(view?.state, 'running');
        assert.is(view?.name, 'main');
        assert.is(view?.attempt, 0);
        assert.ok((view?.startedAtMs ?? 0) > 0);
        await runtime.remove(id);
        assert.is(await runtime.inspect(id), undefined);
      });

      it('tells the exit code of a container that ended', async () => {
        const id = await started(['sh', '-c', 'exit 3']);
        await ended(id);
        const view = await runtime.inspect(id);
        assert.is(view?.exitCode, 3);
        assert.is(view?.oomKilled, false);
        assert.ok((view?.finishedAtMs ?? 0) >= (view?.startedAtMs ?? 0));
        await runtime.remove(id);
      });

      it('is content when asked for what is so already', async () => {
        const id = await started(['sleep', '1000']);
        await runtime.start(id);
        await runtime.kill(id, 'SIGKILL');
        await ended(id);
        await runtime.kill(id, 'SIGTERM');
        await runtime.remove(id);
        await runtime.remove(id);
        await runtime.kill(id, 'SIGTERM');
      });

      it('lets a first process without a handler ignore SIGTERM, and one with a handler end', async () => {
        const deaf = await started(['sleep', '1000']);
        const polite = await started(['sh', '-c', 'trap "exit 5" TERM; sleep 1000 & wait']);
        await until('trap set', async () => {
          await runtime.kill(polite, 'SIGTERM');
          return (await state(polite)) === 'exited';
        });
        assert.is((await runtime.inspect(polite))?.exitCode, 5);
        await runtime.kill(deaf, 'SIGTERM');
        assert.is(await state(deaf), 'running');
        await runtime.kill(deaf, 'SIGKILL');
        await ended(deaf);
        assert.is((await runtime.inspect(deaf))?.exitCode, 137);
        await Promise.all([deaf, polite].map((id) => runtime.remove(id)));
      });

      it('refuses with closed reasons', async () => {
        const image = containerSpec(['true'], { image: 'nowhere/none:1' });
        assert.is(await refusal(() => runtime.create(image)), 'ImageNotFound');
        const twice = containerSpec(['true']);
        const id = await runtime.create(twice);
        assert.is(await refusal(() => runtime.create(twice)), 'NameInUse');
        assert.is(await refusal(() => runtime.start('f'.repeat(64))), 'ContainerNotFound');
        await runtime.remove(id);
      });

      it('tells that a program does not exist, and shows the container as ended', async () => {
        const id = await runtime.create(containerSpec(['/no/such/program']));
        assert.is(await refusal(() => runtime.start(id)), 'StartFailed');
        const view = await runtime.inspect(id);
        assert.is(view?.state, 'exited');
        assert.is(view?.startedAtMs, undefined);
        assert.ok((view?.exitCode ?? 0) > 0);
        assert.match(view?.message ?? '', /no such file|not found/);
        await runtime.remove(id);
      });

      it('tells that an address or a port is taken', async () => {
        const ports = [{ containerPort: 80, protocol: 'tcp' as const, hostPort: 18080 }];
        const first = await started(['sleep', '1000'], {
          ports,
          network: { kind: 'pod', ip: '10.201.5.240' },
        });
        const sameAddress = await runtime.create(
          containerSpec(['sleep', '1000'], { network: { kind: 'pod', ip: '10.201.5.240' } }),
        );
        const samePort = await runtime.create(containerSpec(['sleep', '1000'], { ports }));
        assert.is(await refusal(() => runtime.start(sameAddress)), 'AddressInUse');
        assert.is(await refusal(() => runtime.start(samePort)), 'PortInUse');
        await Promise.all([first, sameAddress, samePort].map((id) => runtime.remove(id)));
      });

      it('gives an address again as soon as its container has ended', async () => {
        const network = { kind: 'pod' as const, ip: '10.201.5.241' };
        const aborted = new AbortController();
        const events = await runtime.events(aborted.signal);
        const first = await started(['sleep', '1000'], { network });
        await runtime.kill(first, 'SIGKILL');
        for await (const event of events) if (event.type === 'die' && event.id === first) break;
        const second = await started(['sleep', '1000'], { network });
        assert.is(await state(second), 'running');
        aborted.abort();
        await Promise.all([first, second].map((id) => runtime.remove(id)));
      });

      it('runs commands and tells when they take too long', async () => {
        const id = await started(['sleep', '1000']);
        const options = { timeoutMs: 5_000, maxBytes: 100 };
        assert.equal(await runtime.exec(id, ['sh', '-c', 'echo hello; exit 4'], options), {
          exitCode: 4,
          output: 'hello\n',
        });
        const late = await refusal(() =>
          runtime.exec(id, ['sleep', '20'], { timeoutMs: 300, maxBytes: 100 }),
        );
        assert.is(late, 'TimedOut');
        await runtime.remove(id);
      });

      it('keeps the output of a container', async () => {
        const id = await started(['sh', '-c', 'echo one; echo two; exit 1']);
        await ended(id);
        assert.is(await runtime.tail(id, 1000), 'one\ntwo\n');
        assert.is(await runtime.tail(id, 4), 'two\n');
        await runtime.remove(id);
      });

      it('lets containers join the namespaces of a sandbox, which ends only when killed', async () => {
        const image = await runtime.ensureSandboxImage();
        assert.is(await runtime.ensureSandboxImage(), image);
        const { entrypoint: _, ...plain } = containerSpec([]);
        const sandbox = await runtime.create({ ...plain, image, ipc: 'shareable' });
        await runtime.start(sandbox);
        const member = await started(['sleep', '1000'], {
          network: { kind: 'join', containerId: sandbox },
          ipc: { join: sandbox },
        });
        assert.is(await state(member), 'running');
        await runtime.kill(sandbox, 'SIGTERM');
        assert.is(await state(sandbox), 'running');
        await runtime.kill(sandbox, 'SIGKILL');
        await ended(sandbox);
        await Promise.all([sandbox, member].map((id) => runtime.remove(id)));
      });

      it('knows the images it has, and cannot pull without a registry', async () => {
        assert.ok((await runtime.image('busybox:2'))?.id.startsWith('sha256:'));
        assert.is(await runtime.image('nowhere/none:1'), undefined);
        const auth = undefined;
        const ref = '127.0.0.1:9/none:1';
        assert.is(
          await refusal(() => runtime.pull(ref, auth, AbortSignal.timeout(8_000))),
          'RegistryUnreachable',
        );
      });

      it('lists images with their use, and removes only what no container was made from', async () => {
        const ref = 'busybox:2';
        const image = (await runtime.images()).find(({ tags }) => tags.includes(ref));
        if (image === undefined) throw new Error(`no ${ref} among the images`);
        assert.is(image.id, (await runtime.image(ref))?.id);
        assert.equal(image.digests, [], 'it came from no registry');
        const id = await runtime.create(containerSpec(['sleep', '1000'], { image: ref }));
        assert.is((await runtime.imagesInUse()).has(image.id), true);
        assert.is((await runtime.writtenBytes()).has(id), true);
        assert.type(await runtime.layerOf(id), 'object');
        assert.is(await runtime.layerBytes(id), 0);
        assert.is(await runtime.layerOf('0'.repeat(64)), undefined);
        assert.is(await runtime.layerBytes('0'.repeat(64)), 0);
        assert.is(await runtime.removeImage(image), false);
        assert.ok(await runtime.image(ref));
        await runtime.remove(id);
        assert.is((await runtime.imagesInUse()).has(image.id), false);
        assert.is(await runtime.removeImage(image), true);
        assert.is(await runtime.image(ref), undefined);
      });

      it('tells of start, die and destroy in order', async () => {
        const aborted = new AbortController();
        const events = await runtime.events(aborted.signal);
        const seen: EngineEvent[] = [];
        const reading = (async () => {
          for await (const event of events) seen.push(event);
        })();
        const id = await started(['sh', '-c', 'exit 9']);
        await ended(id);
        await runtime.remove(id);
        const types = (): string[] => seen.filter((e) => e.id === id).map((e) => e.type);
        await until('events', () => types().includes('destroy'), 5_000);
        assert.equal(types(), ['start', 'die', 'destroy']);
        const die = seen.find((e) => e.type === 'die' && e.id === id);
        assert.is(die?.type === 'die' && die.exitCode, 9);
        aborted.abort();
        await reading;
      });
    },
    { before, after: subject.close, caseTimeoutMs: 20_000 },
  );
}

contract('memory', {
  make: async () =>
    new MemoryRuntime({ clock: systemClock, images: { 'busybox:latest': ['sh'], 'busybox:2': ['sh'] } }),
  close: async () => undefined,
});

if (canRunEngine()) {
  let engine: PrivateEngine | undefined;
  contract('docker', {
    make: async () => {
      engine = await startEngine();
      return new DockerRuntime({ socketPath: engine.socketPath, networkName: NETWORK.name });
    },
    close: async () => engine?.stop(),
  });
}
