/** Evictions against disruption budgets that their controller keeps. */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { BudgetWorld, podOf, until } from './budgets.ts';
import type { Reply } from './hub.ts';

let world: BudgetWorld;
const BASE = '/api/v1/namespaces/default/pods';

function evict(name: string, deleteOptions?: object, apiVersion = 'policy/v1', query = ''): Promise<Reply> {
  const body = {
    apiVersion,
    kind: 'Eviction',
    metadata: { name, namespace: 'default' },
    ...(deleteOptions === undefined ? {} : { deleteOptions }),
  };
  return world.hub.ask('POST', `${BASE}/${name}/eviction${query}`, { body });
}

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await world.hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

spec(
  'evictions',
  (it) => {
    it('lets exactly as many go as the budget has, of fifty at once', async () => {
      await world.budget('race', { minAvailable: 43 });
      await Promise.all(Array.from({ length: 50 }, (_, i) => world.hub.put(podOf('race', `race-${i}`))));
      await until(() => world.allowed('race') === 7);
      const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => evict(`race-${i}`)));
      const codes = replies.map((r) => r.status);
      assert.is(codes.filter((c) => c === 201).length, 7);
      assert.is(codes.filter((c) => c === 429).length, 43);
      assert.is(world.serving('race').length, 43);
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
      const stop = world.playDevice('storm', true);
      await world.budget('storm', { minAvailable: 6 });
      await Promise.all(Array.from({ length: 8 }, (_, i) => world.hub.put(podOf('storm', `storm-${i}`))));
      await until(() => world.allowed('storm') === 2);
      const fewestOf = world.countFewest('storm');
      let gone = 0;
      while (gone < 40) {
        const replies = await Promise.all(world.pods('storm').map((p) => evict(p.metadata.name)));
        gone += replies.filter((r) => r.status === 201).length;
        assert.equal(
          replies.filter((r) => ![201, 404, 429].includes(r.status)).map((r) => r.text),
          [],
        );
      }
      stop();
      const fewest = fewestOf();
      assert.ok(fewest >= 6, `never below 6, saw ${fewest}`);
    });

    it('says in the pod why it goes, and keeps its grace', async () => {
      await world.hub.put(podOf('plain', 'plain-1', {}, { terminationGracePeriodSeconds: 17 }));
      const reply = await evict('plain-1');
      assert.is(reply.status, 201, reply.text);
      const [pod] = world.pods('plain');
      assert.is(pod?.metadata.deletionGracePeriodSeconds, 17);
      const condition = pod?.status?.conditions?.find((c) => c.type === 'DisruptionTarget');
      assert.equal([condition?.status, condition?.reason], ['True', 'EvictionByEvictionAPI']);
    });

    it('takes the form of old clients, a grace period and preconditions', async () => {
      await world.hub.put(podOf('old', 'old-1'));
      const wrong = await evict('old-1', { preconditions: { uid: 'another' } });
      assert.is(wrong.status, 409, wrong.text);
      assert.is((await evict('old-1', { preconditions: { resourceVersion: '1' } })).status, 409);
      const reply = await evict('old-1', { gracePeriodSeconds: 5 }, 'policy/v1beta1');
      assert.is(reply.status, 201, reply.text);
      assert.is(world.pods('old')[0]?.metadata.deletionGracePeriodSeconds, 5);
      assert.is((await evict('old-1', undefined, 'policy/v9')).status, 400);
      assert.is((await evict('none')).status, 404);
    });

    it('spends nothing on a dry run or a failed precondition', async () => {
      await world.budget('dry', { minAvailable: 1 });
      await world.hub.put(podOf('dry', 'dry-1'));
      await world.hub.put(podOf('dry', 'dry-2'));
      await until(() => world.allowed('dry') === 1);
      assert.is((await evict('dry-1', undefined, 'policy/v1', '?dryRun=All')).status, 201);
      assert.is((await evict('dry-1', { dryRun: ['All'] })).status, 201);
      assert.is((await evict('dry-1', { preconditions: { uid: 'another' } })).status, 409);
      assert.is(world.allowed('dry'), 1);
      assert.is(world.serving('dry').length, 2);
      assert.is((await evict('dry-1')).status, 201);
      assert.is((await evict('dry-2', undefined, 'policy/v1', '?dryRun=All')).status, 429);
    });

    it('refuses a pod of two budgets as Kubernetes does', async () => {
      await world.budget('twice', { minAvailable: 1 });
      await world.budget('twice', { maxUnavailable: 1 }, 'twice-too');
      await world.hub.put(podOf('twice', 'twice-1'));
      const { status, json } = await evict('twice-1');
      assert.is(status, 500);
      assert.match((json as { message: string }).message, 'more than one PodDisruptionBudget');
      assert.is((json as { reason?: string }).reason, undefined);
    });

    it('lets pods go that are pending, ended, or sick where the budget allows it', async () => {
      const sick = { conditions: [{ type: 'Ready', status: 'False' }] };
      await world.budget('sick', { minAvailable: 2 });
      await world.hub.put(podOf('sick', 'sick-ready'));
      await world.hub.put(podOf('sick', 'sick-waiting', { ...sick, phase: 'Pending' }));
      await world.hub.put(podOf('sick', 'sick-ended', { ...sick, phase: 'Failed' }));
      await world.hub.put(podOf('sick', 'sick-running', sick));
      await until(() => world.allowed('sick') === 0);
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
      world = await BudgetWorld.start();
    },
    after: () => world.stop(),
  },
);
