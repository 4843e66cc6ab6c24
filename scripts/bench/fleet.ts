/** How fast a fleet reacts, each figure beside the raw engine in the same run. */
import type { Pod } from '../../protocol/kinds/pod.ts';
import {
  allReady,
  deployment,
  isReady,
  nodeOf,
  nodesReady,
  podsOf,
  removeDeployment,
} from '../../test/e2e/cluster.ts';
import { type Lab, startLab } from '../../test/e2e/lab.ts';
import { type Bench, limitFigure, median, type Report, ratioFigure } from './figure.ts';

const NODES = ['worker-1', 'worker-2', 'worker-3'];
const FAST = { LAB_AGENT_ARGS: '--profile fast-detection' };

/** Milliseconds `run` takes. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

/** Waits by watching, not by asking again: the time is the API's own. Resolves when `enough` pods of the app are Running. */
async function running(lab: Lab, app: string, enough: number): Promise<void> {
  const phase = '--for=jsonpath={.status.phase}=Running';
  await lab.eventually(async () => (await podsOf(lab, app)).length >= enough, {
    withinMs: 30_000,
    everyMs: 5,
  });
  await lab.kubectl('wait', 'pod', '-l', `app=${app}`, phase, '--timeout=60s');
}

/** Time of the pod from creation until its container started, by the hub's and the engine's clocks, which are one machine's here. */
async function onePod(lab: Lab, report: Report, rounds: number): Promise<void> {
  const raw: number[] = [];
  const ours: number[] = [];
  const kubectlOnly: number[] = [];
  for (let i = 0; i < rounds; i++) {
    raw.push(
      await timed(() =>
        lab.docker(
          'worker-1',
          'run',
          '-d',
          '--network',
          'coxswain',
          '--label',
          'bench=raw',
          'busybox:latest',
          'sleep',
          '1000000',
        ),
      ),
    );
    kubectlOnly.push(await timed(() => lab.kubectl('get', '--raw', '/readyz')));
    const manifest = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `one-${i}`, labels: { app: `one-${i}` } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'main',
            image: 'busybox:latest',
            imagePullPolicy: 'IfNotPresent',
            command: ['sleep', '1000000'],
          },
        ],
      },
    });
    const watch = lab.kubectl('wait', 'pod', `one-${i}`, '--for=create', '--timeout=30s');
    ours.push(
      await timed(async () => {
        await lab.apply(manifest);
        await lab.kubectl(
          'wait',
          'pod',
          `one-${i}`,
          '--for=jsonpath={.status.phase}=Running',
          '--timeout=30s',
        );
      }),
    );
    await watch;
    await lab.kubectl('delete', 'pod', `one-${i}`, '--wait=true');
  }
  // Applying takes two kubectl processes; their own start is no work of ours, so the price of two bare calls is taken off.
  const client = 2 * median(kubectlOnly);
  const net = Math.max(1, median(ours) - client);
  report(
    ratioFigure(
      'apply of 1 pod -> Running, kubectl starts taken off',
      net,
      median(raw),
      'ms',
      1.4,
      `two kubectl starts cost ${Math.round(client)} ms`,
    ),
  );
  report(limitFigure('apply of 1 pod -> Running, kubectl starts taken off', net, 'ms', 700));
  await cleanRaw(lab);
}

async function cleanRaw(lab: Lab): Promise<void> {
  for (const node of NODES) {
    const ids = (await lab.docker(node, 'ps', '-aq', '--filter', 'label=bench=raw'))
      .split('\n')
      .filter(Boolean);
    if (ids.length > 0) await lab.docker(node, 'rm', '-f', ...ids);
  }
}

async function thirtyPods(lab: Lab, report: Report): Promise<void> {
  const raw = await timed(() =>
    Promise.all(
      NODES.map(async (node) => {
        const workers = [1, 2, 3, 4].map(async (lane) => {
          for (let i = lane; i <= 10; i += 4) {
            await lab.docker(
              node,
              'run',
              '-d',
              '--network',
              'coxswain',
              '--label',
              'bench=raw',
              'busybox:latest',
              'sleep',
              '1000000',
            );
          }
        });
        await Promise.all(workers);
      }),
    ),
  );
  await cleanRaw(lab);
  const ours = await timed(async () => {
    await lab.apply(deployment('thirty', { replicas: 30 }));
    await running(lab, 'thirty', 30);
  });
  report(
    ratioFigure(
      '30 pods over 3 workers -> all Running',
      ours,
      raw,
      'ms',
      1.25,
      'one run; kubectl starts included on our side',
    ),
  );
  await removeDeployment(lab, 'thirty');
}

async function rolling(lab: Lab, report: Report): Promise<void> {
  const spec = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 0 } } };
  await lab.apply(deployment('roll', { replicas: 10, spec }));
  await allReady(lab, 'roll', 10);
  const tookMs = await timed(async () => {
    await lab.kubectl('set', 'image', 'deployment/roll', 'main=busybox:2');
    await lab.kubectl('rollout', 'status', 'deployment/roll', '--timeout=90s');
  });
  report(
    limitFigure(
      'rolling update of 10 replicas, new one ready before the old goes',
      tookMs / 1000,
      's',
      6,
      'maxSurge 3, maxUnavailable 0',
    ),
  );
  await removeDeployment(lab, 'roll');
}

/** From the moment a node is lost until all its pods run elsewhere. */
async function failover(
  lab: Lab,
  report: Report,
  how: 'power-off' | 'blackhole',
  limitS: number,
  profile: string,
): Promise<void> {
  await lab.apply(deployment('fail', { replicas: 6 }));
  const lost = (await allReady(lab, 'fail', 6)).map(nodeOf)[0] ?? '';
  const good = (pods: readonly Pod[]): number =>
    pods.filter((p) => isReady(p) && p.metadata.deletionTimestamp === undefined && nodeOf(p) !== lost).length;
  const tookMs = await timed(async () => {
    await lab.run(how, lost);
    await lab.eventually(async () => good(await podsOf(lab, 'fail')) === 6, {
      withinMs: 60_000,
      everyMs: 50,
    });
  });
  const what = how === 'power-off' ? 'node power-off' : 'node cut off silently';
  report(limitFigure(`${what} -> pods Running elsewhere, ${profile}`, tookMs / 1000, 's', limitS, 'one run'));
  await lab.run(how === 'power-off' ? 'power-on' : 'unblackhole', lost);
  await nodesReady(lab);
  await removeDeployment(lab, 'fail');
}

export const benchFleet: Bench = async (report, { quick }) => {
  const lab = await startLab({ workers: 3, name: 'bench' });
  try {
    await nodesReady(lab);
    await onePod(lab, report, quick ? 3 : 9);
    await thirtyPods(lab, report);
    await rolling(lab, report);
    await failover(lab, report, 'power-off', 12, 'default');
    await failover(lab, report, 'blackhole', 12, 'default');
  } finally {
    await lab.stop();
  }
  const fast = await startLab({ workers: 3, name: 'bfast', env: FAST });
  try {
    await nodesReady(fast);
    await failover(fast, report, 'power-off', 5, 'fast-detection');
    await failover(fast, report, 'blackhole', 5, 'fast-detection');
  } finally {
    await fast.stop();
  }
};
