/** Evictions and `kubectl drain` against disruption budgets that their controller keeps. */
import * as assert from 'uvu/assert';
import { DisruptionController } from '../../hub/controllers/disruption.ts';
import { ScaleTargets } from '../../hub/controllers/scale-targets.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { spec } from '../spec.ts';
import { type Reply, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;
let controller: DisruptionController;
const BASE = '/api/v1/namespaces/default/pods';

/** A Running pod of an app; `status` and `spec` are merged in. */
function podOf(app: string, name: string, status: object = {}, podSpec: object = {}): object {
  const made = runningPod(name, 'worker-1') as Record<string, Record<string, object>>;
  return {
    ...made,
    metadata: { ...made['metadata'], labels: { app } },
    spec: { ...made['spec'], ...podSpec },
    status: { ...made['status'], ...status },
  };
}

async function budget(app: string, spec: object, name = app): Promise<void> {
  await hub.put({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: { app } }, ...spec },
  });
}

function evict(name: string, deleteOptions?: object, apiVersion = 'policy/v1', query = ''): Promise<Reply> {
  const body = {
    apiVersion,
    kind: 'Eviction',
    metadata: { name, namespace: 'default' },
    ...(deleteOptions === undefined ? {} : { deleteOptions }),
  };
  return hub.ask('POST', `${BASE}/${name}/eviction${query}`, { body });
}

const pods = (app: string): Pod[] =>
  (hub.store.port.listObjects('Pod', 'default').items as Pod[]).filter(
    (p) => p.metadata.labels?.['app'] === app,
  );
const serving = (app: string): Pod[] =>
  pods(app).filter(
    (p) =>
      p.metadata.deletionTimestamp === undefined &&
      p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
  );
const allowed = (name: string): number | undefined =>
  (hub.store.port.getObject('PodDisruptionBudget', 'default', name) as PodDisruptionBudget | undefined)
    ?.status?.disruptionsAllowed;

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`never came true: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The device stops what is being deleted and confirms; `replace` brings a new pod for each. */
function playDevice(app: string, replace: boolean): () => void {
  let made = 0;
  return hub.store.port.watch('Pod', hub.store.port.revision, ({ object, type }) => {
    if (object.metadata.labels?.['app'] !== app || type === 'deleted') return;
    if (object.metadata.deletionTimestamp === undefined) return;
    const { name, uid } = object.metadata;
    void hub.store.port
      .deleteObject('Pod', 'default', name, { uid, gracePeriodSeconds: 0 })
      .catch(() => undefined);
    if (replace) void hub.put(podOf(app, `${app}-new-${made++}`));
  });
}

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

spec(
  'evictions',
  (it) => {
    it('lets exactly as many go as the budget has, of fifty at once', async () => {
      await budget('race', { minAvailable: 43 });
      await Promise.all(Array.from({ length: 50 }, (_, i) => hub.put(podOf('race', `race-${i}`))));
      await until(() => allowed('race') === 7);
      const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => evict(`race-${i}`)));
      const codes = replies.map((r) => r.status);
      assert.is(codes.filter((c) => c === 201).length, 7);
      assert.is(codes.filter((c) => c === 429).length, 43);
      assert.is(serving('race').length, 43);
      const refused = replies.find((r) => r.status === 429)?.json;
      assert.equal(refused, {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: "Cannot evict pod as it would violate the pod's disruption budget.",
        reason: 'TooManyRequests',
        details: {
          causes: [
            {
              reason: 'DisruptionBudget',
              message: 'The disruption budget race needs 43 healthy pods and has 43 currently',
            },
          ],
        },
        code: 429,
      });
    });

    it('never goes below the budget while pods come and go and everybody evicts', async () => {
      const stop = playDevice('storm', true);
      let fewest = Number.POSITIVE_INFINITY;
      await budget('storm', { minAvailable: 6 });
      await Promise.all(Array.from({ length: 8 }, (_, i) => hub.put(podOf('storm', `storm-${i}`))));
      await until(() => allowed('storm') === 2);
      const unwatch = hub.store.port.watch('Pod', hub.store.port.revision, () => {
        fewest = Math.min(fewest, serving('storm').length);
      });
      let gone = 0;
      while (gone < 40) {
        const replies = await Promise.all(pods('storm').map((p) => evict(p.metadata.name)));
        gone += replies.filter((r) => r.status === 201).length;
        assert.equal(
          replies.filter((r) => ![201, 404, 429].includes(r.status)).map((r) => r.text),
          [],
        );
      }
      stop();
      unwatch();
      assert.ok(fewest >= 6, `never below 6, saw ${fewest}`);
    });

    it('says in the pod why it goes, and keeps its grace', async () => {
      await hub.put(podOf('plain', 'plain-1', {}, { terminationGracePeriodSeconds: 17 }));
      const reply = await evict('plain-1');
      assert.is(reply.status, 201, reply.text);
      const [pod] = pods('plain');
      assert.is(pod?.metadata.deletionGracePeriodSeconds, 17);
      const condition = pod?.status?.conditions?.find((c) => c.type === 'DisruptionTarget');
      assert.equal([condition?.status, condition?.reason], ['True', 'EvictionByEvictionAPI']);
    });

    it('takes the form of old clients, a grace period and preconditions', async () => {
      await hub.put(podOf('old', 'old-1'));
      const wrong = await evict('old-1', { preconditions: { uid: 'another' } });
      assert.is(wrong.status, 409, wrong.text);
      assert.is((await evict('old-1', { preconditions: { resourceVersion: '1' } })).status, 409);
      const reply = await evict('old-1', { gracePeriodSeconds: 5 }, 'policy/v1beta1');
      assert.is(reply.status, 201, reply.text);
      assert.is(pods('old')[0]?.metadata.deletionGracePeriodSeconds, 5);
      assert.is((await evict('old-1', undefined, 'policy/v9')).status, 400);
      assert.is((await evict('none')).status, 404);
    });

    it('spends nothing on a dry run or a failed precondition', async () => {
      await budget('dry', { minAvailable: 1 });
      await hub.put(podOf('dry', 'dry-1'));
      await hub.put(podOf('dry', 'dry-2'));
      await until(() => allowed('dry') === 1);
      assert.is((await evict('dry-1', undefined, 'policy/v1', '?dryRun=All')).status, 201);
      assert.is((await evict('dry-1', { dryRun: ['All'] })).status, 201);
      assert.is((await evict('dry-1', { preconditions: { uid: 'another' } })).status, 409);
      assert.is(allowed('dry'), 1);
      assert.is(serving('dry').length, 2);
      assert.is((await evict('dry-1')).status, 201);
      assert.is((await evict('dry-2', undefined, 'policy/v1', '?dryRun=All')).status, 429);
    });

    it('refuses a pod of two budgets as Kubernetes does', async () => {
      await budget('twice', { minAvailable: 1 });
      await budget('twice', { maxUnavailable: 1 }, 'twice-too');
      await hub.put(podOf('twice', 'twice-1'));
      const { status, json } = await evict('twice-1');
      assert.is(status, 500);
      assert.match((json as { message: string }).message, 'more than one PodDisruptionBudget');
      assert.is((json as { reason?: string }).reason, undefined);
    });

    it('lets pods go that are pending, ended, or sick where the budget allows it', async () => {
      const sick = { conditions: [{ type: 'Ready', status: 'False' }] };
      await budget('sick', { minAvailable: 2 });
      await hub.put(podOf('sick', 'sick-ready'));
      await hub.put(podOf('sick', 'sick-waiting', { ...sick, phase: 'Pending' }));
      await hub.put(podOf('sick', 'sick-ended', { ...sick, phase: 'Failed' }));
      await hub.put(podOf('sick', 'sick-running', sick));
      await until(() => allowed('sick') === 0);
      assert.is((await evict('sick-running')).status, 429);
      assert.is((await evict('sick-waiting')).status, 201);
      assert.is((await evict('sick-ended')).status, 201);
      await ok('patch', 'pdb', 'sick', '-p', '{"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}}');
      assert.is((await evict('sick-running')).status, 201);
      assert.is((await evict('sick-ready')).status, 429);
    });

    it('shows budgets as Kubernetes does', async () => {
      const shown = await ok('get', 'pdb', 'dry');
      assert.match(
        shown,
        /NAME +MIN AVAILABLE +MAX UNAVAILABLE +ALLOWED DISRUPTIONS +AGE\ndry +1 +N\/A +0 +\S+\n/,
      );
      assert.match(
        await ok('describe', 'pdb', 'dry'),
        /Allowed disruptions: +0\n +Current: +1\n +Desired: +1\n +Total: +2/,
      );
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      const { deps } = hub.store;
      controller = new DisruptionController(deps, new ScaleTargets(deps, () => kinds));
      controller.start(new AbortController().signal);
    },
    after: async () => {
      await controller.stop();
      await hub.stop();
    },
  },
);

spec(
  'kubectl drain',
  (it) => {
    it('shows with --dry-run=server what it would do', async () => {
      const out = await ok(
        'drain',
        'worker-1',
        '--force',
        '--dry-run=server',
        '--ignore-daemonsets',
        '--delete-emptydir-data',
      );
      assert.match(out, /evicting pod default\/web-\d \(server dry run\)/);
      assert.is(serving('web').length, 3);
    });

    it('refuses pods with data of their own and pods of daemon sets, unless told', async () => {
      const { code, err } = await hub.kubectl('drain', 'worker-1');
      assert.is(code, 1);
      assert.match(
        err,
        'cannot delete Pods with local storage (use --delete-emptydir-data to override): default/data',
      );
      assert.match(
        err,
        'cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/everywhere',
      );
      await ok('uncordon', 'worker-1');
    });

    it('waits for the budget, which new pods elsewhere fill up', async () => {
      const stop = playDevice('web', true);
      let fewest = 3;
      const unwatch = hub.store.port.watch('Pod', hub.store.port.revision, () => {
        fewest = Math.min(fewest, serving('web').length);
      });
      const leave = playDevice('data', false);
      const { out, err, code } = await hub.kubectl(
        'drain',
        'worker-1',
        '--ignore-daemonsets',
        '--delete-emptydir-data',
        '--force',
        '--pod-selector=app!=replacement',
        '--timeout=30s',
      );
      stop();
      leave();
      unwatch();
      assert.is(code, 0, err);
      assert.match(out, 'node/worker-1 drained');
      assert.match(err, "Cannot evict pod as it would violate the pod's disruption budget.");
      assert.ok(fewest >= 2, `saw ${fewest}`);
      assert.is(pods('everywhere').length, 1, 'the pod of the daemon set stays');
      assert.is(pods('data').length, 0);
      assert.match(await ok('get', 'node', 'worker-1'), 'Ready,SchedulingDisabled');
      await ok('uncordon', 'worker-1');
      assert.not.match(await ok('get', 'node', 'worker-1'), 'SchedulingDisabled');
    });

    it('deletes in spite of budgets with --disable-eviction, and gracefully', async () => {
      await budget('kept', { minAvailable: 1 });
      await hub.put(podOf('kept', 'kept-1', {}, { terminationGracePeriodSeconds: 9 }));
      await until(() => allowed('kept') === 0);
      const graces: (number | undefined)[] = [];
      const unwatch = hub.store.port.watch('Pod', hub.store.port.revision, ({ object, type }) => {
        const { deletionGracePeriodSeconds: grace, labels } = object.metadata;
        if (labels?.['app'] === 'kept' && type === 'modified' && grace !== undefined) graces.push(grace);
      });
      const stop = playDevice('kept', false);
      await ok(
        'drain',
        'worker-1',
        '--disable-eviction',
        '--force',
        '--ignore-daemonsets',
        '-l',
        'app=kept',
      ).catch(() =>
        ok(
          'drain',
          'worker-1',
          '--disable-eviction',
          '--force',
          '--ignore-daemonsets',
          '--pod-selector=app=kept',
        ),
      );
      stop();
      unwatch();
      assert.is(pods('kept').length, 0);
      assert.is(graces[0], 9);
      await ok('uncordon', 'worker-1');
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put({
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'everywhere', namespace: 'default' },
        spec: {
          selector: { matchLabels: { app: 'everywhere' } },
          template: {
            metadata: { labels: { app: 'everywhere' } },
            spec: { containers: [{ name: 'main', image: 'busybox' }] },
          },
        },
      });
      const { uid } = (
        hub.store.port.getObject('DaemonSet', 'default', 'everywhere') ?? { metadata: { uid: '' } }
      ).metadata;
      const daemon = podOf('everywhere', 'everywhere') as { metadata: object };
      const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'everywhere', uid, controller: true };
      await hub.put({ ...daemon, metadata: { ...daemon.metadata, ownerReferences: [owner] } });
      await hub.put(podOf('data', 'data', {}, { volumes: [{ name: 'd', emptyDir: {} }] }));
      await budget('web', { minAvailable: 2 });
      for (const name of ['web-0', 'web-1', 'web-2']) await hub.put(podOf('web', name));
      const { deps } = hub.store;
      controller = new DisruptionController(deps, new ScaleTargets(deps, () => kinds));
      controller.start(new AbortController().signal);
      await until(() => allowed('web') === 1);
    },
    after: async () => {
      await controller.stop();
      await hub.stop();
    },
  },
);
