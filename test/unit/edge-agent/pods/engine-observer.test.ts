import * as assert from 'uvu/assert';
import type { ContainerView } from '../../../../edge-agent/decide/container.ts';
import { EngineObserver } from '../../../../edge-agent/pods/engine-observer.ts';
import type { EngineEvent } from '../../../../edge-agent/pods/ports.ts';
import { systemClock } from '../../../../kit/clock.ts';
import { silentLogger } from '../../../../kit/logger.ts';
import { spec } from '../../../spec.ts';

const RUNNING: ContainerView = {
  id: 'c1',
  podUid: 'u',
  podName: 'p',
  podNamespace: 'default',
  name: 'main',
  role: 'app',
  attempt: 0,
  specHash: '',
  generation: '',
  state: 'running',
  image: 'i',
  imageId: 'i',
  stopSignal: 'SIGTERM',
  startedAtMs: 1,
};
const at = { id: 'c1', podUid: 'u', atMs: 5 };
const OOM: EngineEvent = { type: 'oom', ...at };
const die = (exitCode: number): EngineEvent => ({ type: 'die', exitCode, ...at });

/** What is told of a container after these events; `later` is the engine's answer when it is asked about it. */
async function observe(
  events: readonly EngineEvent[],
  later: Partial<ContainerView>,
  kernel: boolean,
  listed: ContainerView = RUNNING,
): Promise<{ oomKilled: boolean; told: number }> {
  let told = 0;
  const stopping = new AbortController();
  async function* stream(): AsyncGenerator<EngineEvent> {
    yield* events;
    await observer.settled('u');
    stopping.abort();
  }
  const observer = new EngineObserver({
    runtime: {
      list: () => Promise.resolve([listed]),
      inspect: () => Promise.resolve({ ...RUNNING, ...later }),
      events: () => Promise.resolve(stream()),
    },
    clock: systemClock,
    log: silentLogger,
    lastWords: () => Promise.resolve(undefined),
    onChange: () => undefined,
    onOom: () => told++,
    onUp: () => undefined,
    oomKilled: (id) => kernel && id === 'c1',
  });
  observer.start(stopping.signal);
  await observer.stopped();
  return { oomKilled: observer.get('c1')?.oomKilled === true, told };
}

spec('a memory kill, by what engine and kernel tell', (it) => {
  const dead = (exitCode: number, oomKilled: boolean) => ({ state: 'exited', exitCode, oomKilled }) as const;
  const cases: readonly (readonly [string, Parameters<typeof observe>, boolean, number])[] = [
    ['neither', [[die(137)], dead(137, false), false], false, 0],
    ['the kernel alone', [[die(137)], dead(137, false), true], true, 1],
    ['the engine alone', [[OOM, die(137)], dead(137, true), false], true, 1],
    ['the engine forgets it at the end', [[OOM, die(3)], dead(3, false), false], true, 1],
    ['the engine is late', [[die(137), OOM], dead(137, true), true], true, 1],
    ['the engine tells only when asked', [[die(137)], dead(137, true), false], true, 1],
    ['several while it runs', [[OOM, OOM, die(137)], dead(137, true), true], true, 2],
    ['it succeeded all the same', [[die(0)], dead(0, false), true], false, 0],
    ['it ended before the agent came', [[], {}, true, { ...RUNNING, ...dead(137, false) }], true, 0],
  ];
  for (const [name, args, oomKilled, told] of cases)
    it(name, async () => assert.equal(await observe(...args), { oomKilled, told }));
});
