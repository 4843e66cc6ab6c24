import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { createAdmission } from '../../hub/admission.ts';
import { ADMIT_DEFAULTS } from '../../hub/decide/admit-pod.ts';
import { quotaStatus, refuseByQuota, takenOf } from '../../hub/decide/quota.ts';
import { SERVICE_CIDR } from '../../hub/decide/service-addresses.ts';
import { Store } from '../../hub/store/store.ts';
import type { Admission, AdmissionLook } from '../../hub/store/store-options.ts';
import { DurableError } from '../../kit/durable-error.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import type { KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { ResourceQuota } from '../../protocol/kinds/policy.ts';
import { ApiError } from '../../protocol/status.ts';
import { MemoryMap } from '../build/store.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const NS = 'default';

interface Op {
  readonly do: keyof typeof ACTIONS;
  readonly n: number;
  /** Thousandths of a core, ports or pods, as the action goes. */
  readonly amount: number;
}

const meta = (kind: string, n: number, parts: object = {}) => ({
  metadata: { name: `${kind}${n}`, namespace: NS },
  ...parts,
});

function podOf(n: number, cpu: number) {
  const resources = cpu % 100 === 0 ? {} : { requests: { cpu: `${cpu}m` } };
  const more = cpu >= 200 ? { activeDeadlineSeconds: 100 } : {};
  return { ...meta('p', n), spec: { containers: [{ name: 'c', image: 'i', resources }], ...more } };
}

const SCOPES: readonly ResourceQuota['spec'][] = [
  {},
  { scopes: ['NotTerminating'] },
  { scopes: ['NotBestEffort'] },
];

/** Quotas differ in scope; those with one limit pods alone. */
function limits(n: number, pods: number): ResourceQuota['spec'] {
  const scope = SCOPES[n % SCOPES.length] ?? {};
  if (scope.scopes !== undefined)
    return { ...scope, hard: { pods: `${pods}`, 'requests.cpu': `${pods * 60}m` } };
  return {
    hard: { pods: `${pods}`, 'count/pods': `${pods + 2}`, 'services.nodeports': `${pods}`, configmaps: '2' },
  };
}

const ports = (amount: number) =>
  Array.from({ length: (amount % 3) + 1 }, (_, i) => ({ name: `n${i}`, port: 80 + i }));
const quota = (n: number): string => `q${n % SCOPES.length}`;

/** What happens in a namespace; each begins at once, so that those of a group are all on their way together. */
const ACTIONS = {
  pod: (store: Store, { n, amount }: Op) => store.createObject('Pod', podOf(n, amount)),
  dry: (store: Store, { n, amount }: Op) => store.createObject('Pod', podOf(n, amount), { dryRun: true }),
  bind: (store: Store, { n }: Op) =>
    store.bind(NS, `p${n}`, store.get('Pod', NS, `p${n}`)?.metadata.uid ?? '', 'n1'),
  end: (store: Store, { n }: Op) =>
    store.modify(
      'Pod',
      NS,
      `p${n}`,
      (p) => {
        p.status = { phase: 'Failed' };
      },
      'status',
    ),
  hold: (store: Store, { n, amount }: Op) =>
    store.modify('Pod', NS, `p${n}`, (p) => {
      p.metadata.finalizers = amount > 100 ? ['x.dev/hold'] : [];
    }),
  delete: (store: Store, { n, amount }: Op) =>
    store.deleteObject('Pod', NS, `p${n}`, amount > 100 ? { gracePeriodSeconds: amount % 3 } : {}),
  leave: async (store: Store, { n, amount }: Op) => {
    const bound = store.bind(NS, `p${n}`, store.get('Pod', NS, `p${n}`)?.metadata.uid ?? '', 'n1');
    // The deletion finds the pod bound, though neither is durable yet.
    const gone = store.deleteObject('Pod', NS, `p${n}`, { gracePeriodSeconds: amount % 3 });
    for (const result of await Promise.allSettled([bound, gone]))
      if (result.status === 'rejected') throw result.reason;
  },
  hurry: (store: Store, { n }: Op) =>
    store.modify('Pod', NS, `p${n}`, (p) => {
      p.spec.activeDeadlineSeconds = 50;
    }),
  map: (store: Store, { n }: Op) => store.createObject('ConfigMap', meta('m', n)),
  unmap: (store: Store, { n }: Op) => store.deleteObject('ConfigMap', NS, `m${n}`),
  service: (store: Store, { n, amount }: Op) =>
    store.createObject('Service', meta('s', n, { spec: { type: 'NodePort', ports: ports(amount) } })),
  open: (store: Store, { n, amount }: Op) =>
    store.modify('Service', NS, `s${n}`, (s) => {
      s.spec.type = amount > 100 ? 'NodePort' : 'ClusterIP';
      s.spec.ports = ports(amount);
    }),
  limit: (store: Store, { n, amount }: Op) =>
    store.createObject('ResourceQuota', meta('q', n % SCOPES.length, { spec: limits(n, amount % 6) })),
  change: (store: Store, { n, amount }: Op) =>
    store.modify('ResourceQuota', NS, quota(n), (q) => {
      q.spec = limits(n, amount % 6) ?? {};
    }),
  label: (store: Store, { n, amount }: Op) =>
    store.modify('ResourceQuota', NS, quota(n), (q) => {
      q.metadata.labels = { a: `${amount}` };
    }),
  unlimit: (store: Store, { n }: Op) => store.deleteObject('ResourceQuota', NS, quota(n)),
};

const op: fc.Arbitrary<Op> = fc.record({
  do: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('pod', 'pod', 'end', 'leave', 'service') },
    { weight: 3, arbitrary: fc.constantFrom(...(Object.keys(ACTIONS) as Op['do'][])) },
  ),
  n: fc.integer({ min: 0, max: 5 }),
  amount: fc.constantFrom(0, 50, 101, 149, 200, 251),
});
const groups = fc.array(
  fc.record({
    ops: fc.array(op, { minLength: 1, maxLength: 12 }),
    diskFull: fc.boolean(),
    passMs: fc.constantFrom(0, 0, 400, 1_000, 31_000, 62_000),
    restart: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8 },
);

/** Admission that adds up all objects at each question beside the one under test, and must come to the same answer. */
function doubted(
  admission: Admission,
  clock: ManualClock,
  seen: { asked: number; refused: number },
): Admission {
  const why = (kind: KindSpec, object: KubeObject, look: AdmissionLook, previous?: KubeObject) => {
    const all = () => look.list(kind.id ?? kind.kind, NS);
    const found = ([...look.list('ResourceQuota', NS)] as ResourceQuota[]).map((q) =>
      refuseByQuota(q, kind, object, clock.nowMs(), () => takenOf(q, kind, all(), clock.nowMs()), previous),
    );
    return found.find((text) => text !== undefined);
  };
  return {
    ...admission,
    approve: (kind, object, look, previous) => {
      const answer = admission.approve(kind, object, look, previous);
      const isAsked = object.metadata.namespace === NS && (previous === undefined || kind.kind === 'Service');
      if (isAsked && kind.kind !== 'Event') {
        assert.is(answer, why(kind, object, look, previous));
        seen.asked += 1;
        if (answer !== undefined) seen.refused += 1;
      }
      return answer;
    },
  };
}

async function open(
  map: MemoryMap,
  clock: ManualClock,
  seen: { asked: number; refused: number },
): Promise<Store> {
  const admission = createAdmission(
    ADMIT_DEFAULTS,
    SERVICE_CIDR,
    () => clock.nowMs(),
    () => 'abcde',
  );
  // The store takes its entries over and freezes them: a restart reads them from the disk anew.
  const entries = new Map(structuredClone([...map.entries]));
  return Store.open({ kinds, map, entries, clock, admission: doubted(admission, clock, seen) });
}

spec(
  'the ledger of quotas',
  (it) => {
    it('answers as adding everything up would, whatever is on its way, refused, cut off or begun anew', async () => {
      const seen = { asked: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(groups, async (plan) => {
          const [map, clock] = [new MemoryMap(), new ManualClock()];
          let store = await open(map, clock, seen);
          await store.createObject('ResourceQuota', meta('q', 0, { spec: limits(0, 2) }));
          await store.createObject('ResourceQuota', meta('q', 1, { spec: limits(1, 3) }));
          for (const { ops, diskFull, passMs, restart } of plan) {
            map.failure = diskFull ? new DurableError('NoSpace', 'full') : undefined;
            const results = await Promise.allSettled(ops.map((o) => ACTIONS[o.do](store, o)));
            for (const result of results)
              if (result.status === 'rejected' && !(result.reason instanceof ApiError)) throw result.reason;
            await clock.advance(passMs);
            if (restart) store = await open(map, clock, seen);
          }
        }),
        { numRuns: 300 },
      );
      assert.ok(seen.refused > 500 && seen.asked > (4 * seen.refused) / 3, JSON.stringify(seen));
    });

    it('never lets more in than the quota allows, all creates being on their way at once', async () => {
      const batch = fc.array(
        fc.record({ creates: fc.integer({ min: 0, max: 12 }), removes: fc.nat(4), diskFull: fc.boolean() }),
        { maxLength: 6 },
      );
      await fc.assert(
        fc.asyncProperty(batch, fc.integer({ min: 0, max: 9 }), async (plan, pods) => {
          const [map, clock] = [new MemoryMap(), new ManualClock()];
          const store = await open(map, clock, { asked: 0, refused: 0 });
          await store.createObject('ResourceQuota', meta('q', 0, { spec: { hard: { pods: `${pods}` } } }));
          let made = 0;
          for (const { creates, removes, diskFull } of plan) {
            const before = store.list('Pod', NS);
            map.failure = diskFull ? new DurableError('NoSpace', 'full') : undefined;
            const gone = before.slice(0, removes).map((p) => store.deleteObject('Pod', NS, p.metadata.name));
            const come = Array.from({ length: creates }, () => store.createObject('Pod', podOf(made++, 50)));
            await Promise.allSettled([...gone, ...come]);
            const after = diskFull ? before.length : Math.min(pods, before.length - gone.length + creates);
            assert.is(store.list('Pod', NS).length, after);
          }
        }),
        { numRuns: 200 },
      );
    });

    it('shows in the status of a quota what adding up would show', () => {
      const q = meta('q', 0, { spec: limits(0, 5) }) as unknown as ResourceQuota;
      const status = quotaStatus(q, takenOf(q, { group: '', plural: 'pods' }, [], 0));
      assert.equal(status.used, { pods: '0', 'count/pods': '0', 'services.nodeports': '0', configmaps: '0' });
    });
  },
  { caseTimeoutMs: 60_000 },
);
