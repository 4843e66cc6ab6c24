import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { allReady, countByNode, deployment, nodesReady, podsOf } from './cluster.ts';
import { type Lab, startLab } from './lab.ts';
import { PodWatch } from './pod-watch.ts';

let lab: Lab;
const folder = mkdtempSync('/var/tmp/coxswain-rebalance-');

/** Devices that tell what they do with every beat, and whose beats a busy machine may hold up for a while. */
const TALKATIVE = `heartbeatMs: 2500
leaseMs: 7000
sampleMs: 2000
telemetryMinIntervalMs: 2000
probeMs: 6000
reconnectMaxMs: 2000
`;
/** The shortest that the hub can be told: load of so long is load. */
const WINDOW_S = 10;
const NODES = ['worker-1', 'worker-2', 'worker-3'] as const;

/** A steady 8 % of a board of two cores. */
const BUSY = {
  command: [
    'sh',
    '-c',
    'trap "exit 0" TERM; while true; do i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; done',
  ],
  container: { resources: { requests: { cpu: '20m', memory: '8Mi' }, limits: { cpu: '150m' } } },
};

const uids = async (app: string, namespace = 'default'): Promise<string[]> =>
  (await podsOf(lab, app, namespace)).map((p) => p.metadata.uid).sort();

const willing = async (app: string): Promise<void> => {
  await lab.kubectl(
    ...['annotate', 'deployment', app, 'coxswain.dev/rebalance=true'],
    'coxswain.dev/rebalance-max-moves-per-hour=60',
  );
};

/** What the device's board says of its temperature, as far as the hub has heard. */
const celsiusOf = async (node: string): Promise<number | undefined> => {
  const raw = await lab.kubectl('get', '--raw', '/coxswain/v1/nodes');
  const { items } = JSON.parse(raw) as {
    items: { name: string; telemetry?: { temperatureCelsius?: number } }[];
  };
  return items.find((n) => n.name === node)?.telemetry?.temperatureCelsius;
};

/** Waits until the pods of the app are on the nodes where they should be, and those that moved are gone. */
const settled = (
  app: string,
  namespace: string,
  count: number,
  fits: (on: Record<string, number>) => boolean,
  withinMs: number,
): Promise<unknown> =>
  lab.eventually(
    async () => {
      const pods = await podsOf(lab, app, namespace);
      return pods.length === count && fits(countByNode(pods));
    },
    { withinMs, everyMs: 250 },
  );

spec(
  'rebalancing on devices',
  (it) => {
    it('gives a device that returns its share back, a new pod Ready before an old one goes', async () => {
      await lab.apply(
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name: 'shop', annotations: { 'coxswain.dev/rebalance': 'true' } },
        }),
      );
      await lab.apply(deployment('web', { replicas: 6, namespace: 'shop' }));
      await lab.apply(deployment('stays', { replicas: 3 }));
      await allReady(lab, 'web', 6, 60_000, 'shop');
      await lab.run('cut', 'worker-3');
      await lab.eventually(
        async () => {
          const here = (on: Record<string, number>): number => (on['worker-1'] ?? 0) + (on['worker-2'] ?? 0);
          const web = await podsOf(lab, 'web', 'shop');
          const stays = await podsOf(lab, 'stays');
          return here(countByNode(web)) === 6 && here(countByNode(stays)) === 3;
        },
        { withinMs: 30_000, everyMs: 200 },
      );
      await lab.run('heal', 'worker-3');
      await allReady(lab, 'web', 6, 30_000, 'shop');
      await allReady(lab, 'stays', 3);
      const stayed = await uids('stays');
      const watch = await PodWatch.start(lab, 'web', 'shop', 6);
      await settled('web', 'shop', 6, (on) => NODES.every((node) => on[node] === 2), 90_000);
      watch.stop();
      assert.is(watch.leastReady, 6);
      assert.is(watch.mostMoving, 1, 'one of a Deployment at a time');
      assert.ok(watch.mostPods <= 7, `there were ${watch.mostPods} pods`);
      assert.is(watch.moved.size, 2);
      assert.equal(await uids('stays'), stayed, 'who did not ask stays');
      const described = await lab.kubectl('describe', 'deployment', 'web', '-n', 'shop');
      assert.match(
        described,
        /Rebalancing .*Moving pod web-\S+ from worker-[12], worker-3 suits it better: \w+/,
      );
      assert.match(described, /Rebalanced .*Moved from worker-[12] to worker-3: web-\S+ in place of web-/);
      const [newcomer] = (await podsOf(lab, 'web', 'shop')).filter((p) => p.spec.nodeName === 'worker-3');
      const pod = await lab.kubectl('describe', 'pod', '-n', 'shop', newcomer?.metadata.name ?? '');
      assert.match(pod, /Rebalanced .*Moved from worker-[12] to worker-3/);
      await lab.kubectl('delete', 'namespace', 'shop', '--wait=false');
      await lab.kubectl('delete', 'deployment', 'stays', '--wait=false');
    });

    it('follows prices inside a disruption budget', async () => {
      for (const [node, price] of [
        ['worker-1', '0.10'],
        ['worker-2', '1.00'],
        ['worker-3', '1.00'],
      ] as const)
        await lab.kubectl('label', 'node', node, `coxswain.dev/price=${price}`);
      await lab.apply(
        JSON.stringify({
          apiVersion: 'policy/v1',
          kind: 'PodDisruptionBudget',
          metadata: { name: 'till' },
          spec: { minAvailable: 2, selector: { matchLabels: { app: 'till' } } },
        }),
      );
      await lab.apply(deployment('till', { replicas: 2 }));
      await willing('till');
      await allReady(lab, 'till', 2);
      await settled('till', 'default', 2, (on) => on['worker-1'] === 2, 30_000);
      const watch = await PodWatch.start(lab, 'till', 'default', 2);
      await lab.kubectl('label', '--overwrite', 'node', 'worker-1', 'coxswain.dev/price=1.00');
      await lab.kubectl('label', '--overwrite', 'node', 'worker-2', 'coxswain.dev/price=0.10');
      await settled('till', 'default', 2, (on) => on['worker-2'] === 2, 60_000);
      watch.stop();
      assert.is(watch.leastReady, 2, 'the budget holds');
      assert.match(
        await lab.kubectl('describe', 'deployment', 'till'),
        /Moving pod till-\S+ from worker-1, worker-2 suits it better: price/,
      );
      await lab.kubectl('label', 'nodes', '--all', 'coxswain.dev/price-');
      await lab.kubectl('delete', 'deployment', 'till', '--wait=false');
    });

    it('moves nothing for heat that comes and goes, and relieves a device for load that stays', async () => {
      await lab.apply(deployment('busy', { replicas: 2, ...BUSY }));
      await willing('busy');
      const pods = await allReady(lab, 'busy', 2);
      const before = await uids('busy');
      const hot = pods[0]?.spec.nodeName ?? '';
      assert.is.not(pods[1]?.spec.nodeName, hot);
      const watch = await PodWatch.start(lab, 'busy', 'default', 2);
      const beganMs = performance.now();
      // So hot would be worth a move if it lasted.
      for (const [leg, celsius] of [82, 45, 82, 45, 82, 45].entries()) {
        // Devices tell of a rise only by and by: this one is not yet busy, and by far not for long, when the legs end.
        if (leg === 3) await lab.run('load', hot, '98', '120');
        await lab.run('temperature', hot, String(celsius));
        await lab.eventually(async () => (await celsiusOf(hot)) === celsius, {
          withinMs: 20_000,
          everyMs: 100,
        });
      }
      const tookS = (performance.now() - beganMs) / 1_000;
      assert.ok(
        tookS > 1.2 * WINDOW_S,
        `ups and downs took ${tookS} s, hardly more than what counts as long`,
      );
      assert.is(watch.moved.size, 0, 'a saw-tooth moves nothing');
      assert.equal(await uids('busy'), before);
      await settled('busy', 'default', 2, (on) => on[hot] === undefined, 60_000);
      watch.stop();
      await lab.run('load', hot, '0', '0');
      assert.is(watch.leastReady, 2);
      assert.is(watch.moved.size, 1);
      const described = await lab.kubectl('describe', 'deployment', 'busy');
      assert.match(
        described,
        new RegExp(`Moving pod busy-\\S+ from ${hot}, worker-\\d suits it better: load`),
      );
    });
  },
  {
    caseTimeoutMs: 240_000,
    before: async () => {
      writeFileSync(join(folder, 'talkative.yaml'), `variant: true\n${TALKATIVE}`);
      lab = await startLab({
        workers: 3,
        name: 'rebal',
        alone: true,
        env: {
          LAB_HUB_ARGS: `--rebalance-after-seconds ${WINDOW_S}`,
          // Load so magnified that a busy machine can still make a board hot.
          LAB_LOAD_SCALE: '100',
          LAB_AGENT_ARGS: `--profile pi-4,${folder}/talkative.yaml`,
        },
      });
      await nodesReady(lab, NODES);
    },
    after: async () => {
      await lab.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  },
);
