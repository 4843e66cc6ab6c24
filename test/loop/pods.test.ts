import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { PodManager } from '../../edge-agent/pods/pod-manager.ts';
import type { Runtime } from '../../edge-agent/pods/ports.ts';
import { MemoryRuntime } from '../../edge-agent/runtime/memory.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { DesiredPod, EventReport, PodReport } from '../../protocol/wire/messages.ts';
import { container, desiredPod } from '../build/pod.ts';
import { until } from '../e2e/private-engine.ts';
import { spec } from '../spec.ts';

/** Counts what is asked of the engine at the same time for one pod. */
function watched(runtime: MemoryRuntime): { runtime: Runtime; overlaps: () => number; writes: () => number } {
  const busy = new Set<string>();
  let overlaps = 0;
  let writes = 0;
  const podOf = async (id: string): Promise<string> => (await runtime.inspect(id))?.podUid ?? '';
  const alone = async <T>(uid: string, run: () => Promise<T>): Promise<T> => {
    if (busy.has(uid)) overlaps++;
    busy.add(uid);
    writes++;
    await new Promise((resolve) => setImmediate(resolve));
    return run().finally(() => busy.delete(uid));
  };
  const proxy = new Proxy(runtime, {
    get: (target, key) => {
      if (key === 'create')
        return (s: Parameters<Runtime['create']>[0]) =>
          alone(s.labels['coxswain.dev/pod-uid'] ?? '', () => target.create(s));
      if (key === 'start') return async (id: string) => alone(await podOf(id), () => target.start(id));
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { runtime: proxy, overlaps: () => overlaps, writes: () => writes };
}

class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'cox-loop-'));
  readonly engine = new MemoryRuntime({ clock: systemClock, images: { 'busybox:2': ['sh'] } });
  readonly watch = watched(this.engine);
  readonly reports: PodReport[] = [];
  readonly events: EventReport[] = [];
  readonly tokens = new Map<string, Record<string, string>>();
  manager = this.#make();
  #desired: DesiredPod[] | undefined;

  #make(): PodManager {
    return new PodManager({
      runtime: this.watch.runtime,
      clock: systemClock,
      log: silentLogger,
      sinks: { onStatus: (report) => this.reports.push(report), onEvent: (event) => this.events.push(event) },
      node: {
        nodeName: 'n',
        hostIp: () => '10.0.0.1',
        cpuMilli: 1000,
        memoryBytes: 2 ** 30,
        network: { name: 'coxswain', bridge: 'cox0', masquerade: true },
      },
      dataDir: join(this.folder, 'data'),
      runDir: join(this.folder, 'run'),
      concurrency: 4,
    });
  }

  async start(): Promise<void> {
    await this.manager.start(new AbortController().signal);
  }

  desire(...pods: DesiredPod[]): void {
    this.#desired = pods;
    this.manager.setDesired({
      pods: new Map(pods.map((pod) => [pod.metadata.uid, pod])),
      configMaps: new Map(),
      secrets: new Map(),
      tokens: this.tokens,
      node: { podCIDR: '10.3.0.0/24' },
    });
  }

  /** An agent that has never been told anything, as with an unreadable cache. */
  forget(): void {
    this.#desired = undefined;
    this.manager = this.#make();
  }

  async restart(): Promise<void> {
    await this.manager.stop();
    this.manager = this.#make();
    if (this.#desired !== undefined) this.desire(...this.#desired);
    await this.start();
  }

  isReady(name: string): boolean {
    const status = this.reports.findLast((r) => r.name === name)?.status;
    return status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
  }

  async ready(...names: string[]): Promise<void> {
    await until(`${names} ready`, () => names.every((name) => this.isReady(name)), 5_000);
  }

  running(name: string): string[] {
    return this.engine.running().flatMap((c) => (c.podName === name ? [c.id] : []));
  }

  async close(): Promise<void> {
    await this.manager.stop();
    rmSync(this.folder, { recursive: true });
  }
}

async function inWorld(run: (world: World) => Promise<void>): Promise<void> {
  const world = new World();
  try {
    await world.start();
    await run(world);
    assert.is(world.watch.overlaps(), 0, 'never two actions of one pod at once');
  } finally {
    await world.close();
  }
}

const TWO = { containers: [container({ name: 'a' }), container({ name: 'b' })] };

spec('pods on the memory engine', (it) => {
  it('start once the token they ask for is there, and keep running when it is replaced', () =>
    inWorld(async (world) => {
      const source = { serviceAccountToken: { path: 'token', expirationSeconds: 600 } };
      const pod = desiredPod('caller', { volumes: [{ name: 'access', projected: { sources: [source] } }] });
      const file = join(world.folder, 'run', 'pods', 'uid-caller', 'volumes', 'access', 'token');
      const give = (token: string): void => {
        world.tokens.set('uid-caller', { '600 ': Buffer.from(token).toString('base64') });
        world.desire(pod);
      };
      world.desire(pod);
      await until('told', () => world.events.some((e) => e.reason === 'FailedMount'), 5_000);
      assert.match(world.events.find((e) => e.reason === 'FailedMount')?.message ?? '', /"default\/default"/);
      assert.equal(world.running('caller'), []);
      give('first');
      await world.ready('caller');
      assert.is(readFileSync(file, 'utf8'), 'first');
      const before = world.running('caller');
      give('second');
      await until('rewritten', () => readFileSync(file, 'utf8') === 'second', 5_000);
      world.tokens.clear();
      world.desire(pod);
      await until(
        'told again',
        () => world.events.filter((e) => e.reason === 'FailedMount').length > 1,
        5_000,
      );
      assert.equal(world.running('caller'), before);
      assert.is(readFileSync(file, 'utf8'), 'second', 'a token that is missing takes nothing away');
    }));

  it('work on one pod never twice at a time, whatever is told and however often', () =>
    inWorld(async (world) => {
      const pods = [desiredPod('one'), desiredPod('two', TWO)];
      let crashes = 0;
      const crash = (which: number): void => {
        const victim = world.engine.running()[which];
        if (victim === undefined) return;
        world.engine.crash(victim.id, 1);
        crashes++;
      };
      world.desire(...pods);
      for (let i = 0; i < 40; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        world.desire(...pods);
        if (i % 9 === 0) crash(i % 4);
      }
      // On a busy machine nothing was running yet.
      const crashed = (): boolean => {
        if (crashes === 0) crash(0);
        return crashes > 0;
      };
      await until('a crash', crashed, 5_000);
      await until('an end', () => world.watch.writes() > 8, 5_000);
    }));

  it('touch nothing when the agent is restarted', () =>
    inWorld(async (world) => {
      world.desire(desiredPod('one'), desiredPod('two', TWO));
      await world.ready('one', 'two');
      const writes = world.watch.writes();
      const told = world.reports.length;
      await world.restart();
      await until('reports', () => world.reports.length >= told + 2, 5_000);
      assert.is(world.watch.writes(), writes);
      const newest = (list: PodReport[]) => list.findLast((r) => r.name === 'two');
      assert.equal(newest(world.reports.slice(told)), newest(world.reports.slice(0, told)));
    }));

  it('leave running and report what only the labels tell of, until a desired state is accepted', () =>
    inWorld(async (world) => {
      const polite = container({ command: ['sh', '-c', 'trap "exit 0" TERM; sleep 1000'] });
      world.desire(desiredPod('one', { containers: [polite] }));
      await world.ready('one');
      await world.manager.stop();
      world.reports.length = 0;
      world.forget();
      await world.start();
      await world.ready('one');
      assert.is(world.running('one').length, 1);
      assert.equal(
        world.manager.inventory().map((r) => r.name),
        ['one'],
      );
      world.desire();
      await until('the orphan to go', () => world.running('one').length === 0, 5_000);
    }));

  it('that are taken back while they are being looked up are not started', () =>
    inWorld(async (world) => {
      await until('the engine', () => world.manager.engineReady, 5_000);
      world.desire(desiredPod('one'));
      await Promise.resolve();
      world.desire();
      world.desire(desiredPod('two'));
      await world.ready('two');
      assert.equal(world.running('one'), []);
    }));

  it('that nobody describes any more get the grace of their own, not the default one', () =>
    inWorld(async (world) => {
      const deaf = container({ command: ['sleep', '1000'] });
      world.desire(desiredPod('one', { containers: [deaf], terminationGracePeriodSeconds: 0 }));
      await world.ready('one');
      await world.manager.stop();
      world.forget();
      await world.start();
      world.desire();
      await until('the orphan to go', () => world.running('one').length === 0, 10_000);
    }));

  it('tell that they ended once, with their last words', () =>
    inWorld(async (world) => {
      const talker = container({
        command: ['sh', '-c', 'echo no more paper; exit 3'],
        terminationMessagePolicy: 'FallbackToLogsOnError',
      });
      const tail = world.engine.tail.bind(world.engine);
      world.engine.tail = async (...about) => {
        for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        return tail(...about);
      };
      world.desire(desiredPod('one', { containers: [talker], restartPolicy: 'Never' }));
      const failed = (): PodReport[] => world.reports.filter((r) => r.status.phase === 'Failed');
      await until('the end', () => failed().length > 0, 5_000);
      await world.manager.stop();
      const ends = failed().map((r) => r.status.containerStatuses?.[0]?.state?.terminated);
      assert.equal(
        ends.map((e) => [e?.exitCode, e?.message]),
        [[3, 'no more paper\n']],
      );
    }));

  it('come back after the engine was away', () =>
    inWorld(async (world) => {
      world.desire(desiredPod('one'), desiredPod('two', TWO));
      await world.ready('one', 'two');
      world.engine.down(true);
      await until('loss', () => !world.manager.engineReady, 5_000);
      world.engine.up();
      await until('all', () => world.engine.running().length === 4, 8_000);
    }));

  it('take the inventory of everything held, gone pods until they are dropped', () =>
    inWorld(async (world) => {
      world.desire(desiredPod('one'), desiredPod('two'));
      await world.ready('one', 'two');
      world.desire(
        desiredPod('one'),
        desiredPod('two', {}, { deletionTimestamp: 'x', deletionGracePeriodSeconds: 0 }),
      );
      await until('gone', () => world.reports.some((r) => r.name === 'two' && r.gone === true), 8_000);
      const held = () =>
        world.manager
          .inventory()
          .map((r) => `${r.name} ${r.gone === true}`)
          .sort();
      assert.equal(held(), ['one false', 'two true']);
      world.desire(desiredPod('one'));
      await until('dropped', () => held().length === 1, 5_000);
    }));

  it('start a pod again whose removal was taken back', () =>
    inWorld(async (world) => {
      world.desire(desiredPod('one'));
      await world.ready('one');
      const [before] = world.running('one');
      world.desire();
      await until('stop begun', () => world.manager.inventory().length === 0, 5_000);
      world.desire(desiredPod('one'));
      await until(
        'a new one',
        () => {
          const [after] = world.running('one');
          return after !== undefined && after !== before;
        },
        8_000,
      );
      assert.not(
        world.reports.some((r) => r.gone === true),
        'the hub is not told to forget it',
      );
    }));
});
