/** Rollouts of Deployments and DaemonSets on real devices: undo, Recreate, one pod a device, taints. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { DaemonSet } from '../../protocol/kinds/workloads.ts';
import { spec } from '../spec.ts';
import { allReady, countByNode, deployment, isReady, nodeOf, nodesReady, podsOf } from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

const NAMESPACE = 'rollouts';
const FIRST = 'busybox:latest';
const SECOND = 'busybox:2';

let lab: Lab;
let nodes: string[];

const kubectl = (...args: string[]): Promise<string> => lab.kubectl('-n', NAMESPACE, ...args);
const settle = (what: string): Promise<string> => kubectl('rollout', 'status', what, '--timeout=90s');
const imagesOf = (pods: readonly Pod[]): string[] => [
  ...new Set(pods.map((p) => p.spec.containers[0]?.image ?? '')),
];

/** The manifest of `deployment` as a DaemonSet. */
function daemonSet(name: string, more: Readonly<Record<string, unknown>> = {}): string {
  const { spec: given, ...rest } = JSON.parse(deployment(name, { replicas: 1, namespace: NAMESPACE })) as {
    spec: Record<string, unknown>;
  };
  const { replicas: _replicas, ...own } = given;
  return JSON.stringify({ ...rest, kind: 'DaemonSet', spec: { ...own, ...more } });
}

/** Starts and ends of an app's containers on all devices since then, as the engines noted them. */
async function engineEvents(
  app: string,
  sinceS: number,
): Promise<{ atUs: number; what: string; image: string }[]> {
  const untilS = Math.ceil(Date.now() / 1000);
  const told = await Promise.all(
    nodes.map((node) =>
      lab.docker(
        node,
        'events',
        ...['--since', String(sinceS), '--until', String(untilS)],
        ...['--filter', 'event=start', '--filter', 'event=die'],
        ...[
          '--format',
          '{{.TimeNano}} {{.Action}} {{.Actor.Attributes.image}} {{index .Actor.Attributes "coxswain.dev/pod-name"}}',
        ],
      ),
    ),
  );
  return told
    .join('\n')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , , pod]) => pod?.startsWith(`${app}-`))
    .map(([at = '0', what = '', image = '']) => ({ atUs: Number(BigInt(at) / 1000n), what, image }));
}

/** Calls `look` again and again while `work` goes on. */
async function during<T>(work: Promise<T>, look: () => Promise<void>): Promise<T> {
  let done = false;
  const watching = (async () => {
    while (!done) await look();
  })();
  try {
    return await work;
  } finally {
    done = true;
    await watching;
  }
}

spec(
  'rollouts on devices',
  (it) => {
    it('goes back to what ran before', async () => {
      await lab.apply(deployment('back', { replicas: 3, namespace: NAMESPACE }));
      await allReady(lab, 'back', 3, 60_000, NAMESPACE);
      await kubectl('set', 'image', 'deployment/back', `main=${SECOND}`);
      await settle('deployment/back');
      assert.equal(imagesOf(await allReady(lab, 'back', 3, 60_000, NAMESPACE)), [SECOND]);
      let fewest = 3;
      await kubectl('rollout', 'undo', 'deployment/back');
      await during(settle('deployment/back'), async () => {
        fewest = Math.min(fewest, (await podsOf(lab, 'back', NAMESPACE)).filter(isReady).length);
      });
      assert.equal(imagesOf(await allReady(lab, 'back', 3, 60_000, NAMESPACE)), [FIRST]);
      assert.ok(fewest >= 3, `a quarter of three is none that may be missing, saw ${fewest}`);
      assert.match(await kubectl('rollout', 'history', 'deployment/back'), /\n2 .*\n3 /);
      await kubectl('delete', 'deployment', 'back', '--timeout=60s');
    });

    it('with Recreate never runs old and new side by side', async () => {
      const sinceS = Math.floor(Date.now() / 1000);
      const strategy = { type: 'Recreate' };
      await lab.apply(deployment('one', { replicas: 3, namespace: NAMESPACE, spec: { strategy } }));
      await allReady(lab, 'one', 3, 60_000, NAMESPACE);
      await kubectl('set', 'image', 'deployment/one', `main=${SECOND}`);
      await settle('deployment/one');
      await allReady(lab, 'one', 3, 60_000, NAMESPACE);
      const events = await engineEvents('one', sinceS);
      const times = (what: string, image: string): number[] =>
        events.filter((e) => e.what === what && e.image === image).map((e) => e.atUs);
      const lastEnd = Math.max(...times('die', FIRST));
      const firstStart = Math.min(...times('start', SECOND));
      assert.is(times('die', FIRST).length, 3, 'all old ones ended');
      assert.ok(
        lastEnd < firstStart,
        `the last old one ended ${firstStart - lastEnd} us before the first new one`,
      );
      await kubectl('delete', 'deployment', 'one', '--timeout=60s');
    });

    it('has one daemon pod on every device, and updates them one after the other', async () => {
      await lab.apply(daemonSet('probe'));
      await settle('daemonset/probe');
      const before = await allReady(lab, 'probe', nodes.length, 60_000, NAMESPACE);
      assert.equal(countByNode(before), Object.fromEntries(nodes.map((name) => [name, 1])));
      let fewest = nodes.length;
      await kubectl('set', 'image', 'daemonset/probe', `main=${SECOND}`);
      await during(settle('daemonset/probe'), async () => {
        const ready = (await podsOf(lab, 'probe', NAMESPACE)).filter(
          (p) => isReady(p) && p.metadata.deletionTimestamp === undefined,
        );
        fewest = Math.min(fewest, ready.length);
      });
      assert.is(fewest, nodes.length - 1);
      const after = await allReady(lab, 'probe', nodes.length, 60_000, NAMESPACE);
      assert.equal(imagesOf(after), [SECOND]);
      await kubectl('rollout', 'undo', 'daemonset/probe');
      await settle('daemonset/probe');
      assert.equal(imagesOf(await allReady(lab, 'probe', nodes.length, 60_000, NAMESPACE)), [FIRST]);
      assert.match(await kubectl('rollout', 'history', 'daemonset/probe'), /\n2 .*\n3 /);
    });

    it('respects taints, and stays on a device that is away', async () => {
      const name = nodes.at(-1) ?? '';
      const onNode = async (): Promise<Pod[]> =>
        (await podsOf(lab, 'probe', NAMESPACE)).filter((p) => nodeOf(p) === name);
      const status = async (): Promise<DaemonSet['status']> =>
        (await lab.get<DaemonSet>('daemonset', 'probe', '-n', NAMESPACE)).status;
      const [pod] = await onNode();
      await lab.run('agent', 'stop', name);
      await lab.eventually(async () => (await status())?.numberMisscheduled === 1, { withinMs: 60_000 });
      await lab.run('agent', 'start', name);
      await nodesReady(lab, nodes);
      await lab.eventually(async () => (await status())?.numberAvailable === nodes.length, {
        withinMs: 60_000,
      });
      assert.is((await onNode())[0]?.metadata.uid, pod?.metadata.uid, 'the same pod, all the time');
      await kubectl('taint', 'node', name, 'mine=1:NoSchedule');
      await lab.eventually(async () => (await status())?.desiredNumberScheduled === nodes.length - 1, {
        withinMs: 20_000,
      });
      assert.is((await onNode())[0]?.metadata.uid, pod?.metadata.uid, 'NoSchedule sends nobody away');
      await kubectl('taint', 'node', name, 'mine=1:NoExecute');
      await lab.eventually(async () => (await onNode()).length === 0, { withinMs: 60_000 });
      await kubectl('taint', 'node', name, 'mine-');
      await settle('daemonset/probe');
      await allReady(lab, 'probe', nodes.length, 60_000, NAMESPACE);
      assert.is((await onNode()).length, 1, 'back when the taint is gone');
    });
  },
  {
    before: async () => {
      lab = await startLab({ workers: 3, name: 'rollout' });
      nodes = (await nodesReady(lab)).map((n) => n.metadata.name).sort();
      await lab.kubectl('create', 'namespace', NAMESPACE);
    },
    after: async () => {
      await lab.kubectl('delete', 'namespace', NAMESPACE, '--timeout=60s');
      await lab.stop();
    },
    caseTimeoutMs: 150_000,
  },
);
