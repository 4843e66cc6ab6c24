import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { ContainerView } from '../../edge-agent/decide/container.ts';
import { readLabels, writeLabels } from '../../edge-agent/decide/container.ts';
import { type DeviceUnit, givenDevices, unitKey } from '../../edge-agent/decide/devices.ts';
import {
  type EvictionCandidate,
  evictionStep,
  isCritical,
  rankForEviction,
} from '../../edge-agent/decide/evict.ts';
import { type NodeImage, rememberImages, removableImages } from '../../edge-agent/decide/image-gc.ts';
import { judgePressure, NO_PRESSURE, type PressureInput } from '../../edge-agent/decide/pressure.ts';
import { DeviceDesk } from '../../edge-agent/pods/device-desk.ts';
import { container } from '../build/pod.ts';
import { spec } from '../spec.ts';

const LIMITS = {
  memoryPressureAvailableRatio: 0.1,
  diskPressureUsedRatio: 0.9,
  pidPressureUsedRatio: 0.9,
  temperaturePressureCelsius: 80,
  pressureTransitionMs: 60_000,
  evictionHoldMs: 10_000,
  evictionIntervalMs: 30_000,
};
const FINE: PressureInput = {
  memoryAvailableRatio: 0.5,
  memoryTotalBytes: 2 ** 30,
  diskUsedRatio: 0.1,
  diskTotalBytes: 2 ** 34,
  pidUsedRatio: 0.1,
  pidLimit: 32_768,
};

const candidate: fc.Arbitrary<Omit<EvictionCandidate, 'uid'>> = fc.record({
  priority: fc.constantFrom(-10, 0, 1000, 2_000_000_000, 2_000_001_000),
  priorityClass: fc.constantFrom('', 'web', 'system-node-critical'),
  containers: fc.array(
    fc.record({ name: fc.constant('c'), usage: fc.nat({ max: 100 }), request: fc.nat({ max: 100 }) }),
    { maxLength: 2 },
  ),
});
const candidates = fc
  .array(candidate, { maxLength: 12 })
  .map((list) => list.map((one, i): EvictionCandidate => ({ ...one, uid: `u${i}` })));
const signal = fc.constantFrom('memory' as const, 'disk' as const, 'pids' as const);

spec('eviction, properties', (it) => {
  it('gives the same order whatever the order of the pods, and never a critical one', () => {
    fc.assert(
      fc.property(
        candidates.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }), signal),
        ),
        ([list, shuffled, what]) => {
          const order = rankForEviction(what, list);
          assert.equal(rankForEviction(what, shuffled), order);
          assert.ok(!order.some(isCritical));
          const sum = (pod: EvictionCandidate, of: 'usage' | 'request'): number =>
            pod.containers.reduce((n, c) => n + c[of], 0);
          if (what === 'pids') return;
          const exceeds = order.map((p) => sum(p, 'usage') > sum(p, 'request'));
          assert.is(
            exceeds.indexOf(false) === -1 || !exceeds.slice(exceeds.indexOf(false)).includes(true),
            true,
          );
        },
      ),
    );
  });

  it('never evicts twice within the interval, nor before the hold time, nor without need', () => {
    const look = fc.record({
      stepMs: fc.integer({ min: 1, max: 20_000 }),
      ratio: fc.constantFrom(0.02, 0.09, 0.11, 0.13, 0.5),
      isEvicting: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 60 }), (looks) => {
        let state = NO_PRESSURE;
        let nowMs = 0;
        let lastEvictionMs: number | undefined;
        let metSinceMs: number | undefined;
        for (const { stepMs, ratio, isEvicting } of looks) {
          nowMs += stepMs;
          state = judgePressure(state, { ...FINE, memoryAvailableRatio: ratio }, LIMITS, nowMs);
          metSinceMs = state.memory.metSinceMs;
          const last = lastEvictionMs === undefined ? {} : { lastEvictionMs };
          const step = evictionStep(
            { pressure: state, nowMs, isEvicting, isDiskSwept: false, ...last },
            LIMITS,
          );
          if (step.do === 'wait') assert.ok(step.untilMs > nowMs);
          if (step.do !== 'evict') continue;
          assert.ok(!isEvicting && ratio < 0.12);
          assert.ok(metSinceMs !== undefined && nowMs - metSinceMs >= LIMITS.evictionHoldMs);
          assert.ok(lastEvictionMs === undefined || nowMs - lastEvictionMs >= LIMITS.evictionIntervalMs);
          lastEvictionMs = nowMs;
        }
      }),
    );
  });
});

const letters = ['a', 'b', 'c', 'd', 'e'];
const images: fc.Arbitrary<NodeImage[]> = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom(...letters).map((l) => `sha256:${l.repeat(64)}`),
    tags: fc.subarray(letters.map((l) => `${l}:1`)),
    digests: fc.subarray(letters.map((l) => `${l}@sha256:${l.repeat(64)}`)),
    sizeBytes: fc.nat(),
    platform: fc.constant('amd64'),
  }),
  { selector: (image) => image.id },
);

spec('image collection, properties', (it) => {
  it('never takes what is used, needed, young or local, and does not depend on order', () => {
    fc.assert(
      fc.property(
        images.chain((list) =>
          fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
        ),
        fc.subarray(letters),
        fc.subarray(letters),
        fc.nat({ max: 200 }),
        ([list, shuffled], used, named, ageMs) => {
          const inUse = new Set(used.map((l) => `sha256:${l.repeat(64)}`));
          const needed = named.map((l) => `docker.io/library/${l}:1`);
          const uses = rememberImages(new Map(), list, inUse, 0);
          const take = (from: readonly NodeImage[]): NodeImage[] =>
            removableImages(from, { inUse, needed }, uses, ageMs, 100);
          const taken = take(list);
          assert.equal(take(shuffled), taken);
          for (const image of taken) {
            assert.ok(!inUse.has(image.id) && image.digests.length > 0 && ageMs >= 100);
            assert.ok(!image.tags.some((tag) => named.some((l) => tag === `${l}:1`)));
          }
        },
      ),
    );
  });
});

const SERIAL = 'coxswain.dev/serial';
const unit = (path: string): DeviceUnit => ({
  resource: SERIAL,
  key: unitKey(SERIAL, path, 0),
  nodes: [{ target: path, source: path, number: 1 }],
  groups: [],
});
const step = fc.oneof(
  fc.record({
    do: fc.constant('take' as const),
    pod: fc.nat({ max: 4 }),
    count: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ do: fc.constant('free' as const), pod: fc.nat({ max: 4 }) }),
  fc.record({
    do: fc.constant('plug' as const),
    paths: fc.subarray(['/dev/a', '/dev/b', '/dev/c', '/dev/d']),
  }),
  fc.record({ do: fc.constant('restart' as const) }),
);

spec('devices, properties', (it) => {
  it('never gives a device to two, over restarts of the agent and whatever is plugged in', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let units = ['/dev/a', '/dev/b'].map(unit);
        const stock = () => ({ names: [SERIAL], units });
        let desk = new DeviceDesk(stock);
        const views = new Map<number, ContainerView>();
        for (const one of steps) {
          if (one.do === 'plug') units = one.paths.map(unit);
          if (one.do === 'restart') {
            desk = new DeviceDesk(stock);
            desk.recover([...views.values()]);
          }
          if (one.do === 'free') {
            desk.free(`p${one.pod}`);
            views.delete(one.pod);
          }
          if (one.do === 'take') {
            const main = container({ resources: { limits: { [SERIAL]: String(one.count) } } });
            const allocation = desk.take(`p${one.pod}`, main, new Set());
            if (allocation.ok) views.set(one.pod, viewWith(one.pod, allocation.units));
            else assert.ok(allocation.available < one.count);
          }
          const given = [...views.values()].flatMap((view) => Object.keys(view.devices ?? {}));
          assert.is(new Set(given).size, given.length, `each once: ${given.join(' ')}`);
        }
      }),
    );
  });
});

/** A container as its labels bring it back. */
function viewWith(pod: number, units: readonly DeviceUnit[]): ContainerView {
  const identity = readLabels(
    writeLabels({
      podUid: `p${pod}`,
      podName: `p${pod}`,
      podNamespace: 'default',
      name: 'main',
      role: 'app',
      attempt: 0,
      specHash: '',
      generation: '',
      devices: givenDevices(units),
    }),
  );
  if (identity === undefined) throw new Error('labels not read');
  return { ...identity, id: `c${pod}`, state: 'running', image: '', imageId: '', stopSignal: 'SIGTERM' };
}
