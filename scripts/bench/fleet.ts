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
import { BenchApi } from './api.ts';
import { type Bench, limitFigure, median, type Report, ratioFigure } from './figure.ts';
import { type ContainerRecipe, RawEngine } from './raw-engine.ts';

const NODES = ['worker-1', 'worker-2', 'worker-3'];
/** The engine's own network: raw containers must not take addresses of pods. */
const NETWORK = 'bridge';
/** A network like that of pods, for the same containers without an orchestrator. */
const TWIN_NETWORK = 'bench-twins';
const TWIN_SUBNET = '10.213.0.0/24';
const FAST = { LAB_AGENT_ARGS: '--profile fast-detection' };

/** Milliseconds `run` takes. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

const running = (pods: ReadonlyMap<string, Pod>): number =>
  [...pods.values()].filter((p) => p.status?.phase === 'Running').length;

const sleeper = {
  name: 'main',
  image: 'busybox:latest',
  imagePullPolicy: 'IfNotPresent',
  command: ['sleep', '1000000'],
};

/** Time from the request that creates a pod until a watch shows it Running, against create and start of the same container. */
async function onePod(
  api: BenchApi,
  engines: readonly RawEngine[],
  twin: Twin,
  report: Report,
  rounds: number,
): Promise<void> {
  const [engine] = engines;
  if (engine === undefined) throw new Error('no engine');
  const raw: number[] = [];
  const ours: number[] = [];
  for (let i = 0; i < rounds; i++) {
    raw.push(await timed(async () => engine.start(await twin(engine, i))));
    const name = `one-${i}`;
    const watch = await api.until(`app=${name}`, (pods) => running(pods) === 1, 30_000);
    await watch.begun;
    const pod = {
      metadata: { name, labels: { app: name } },
      spec: { nodeName: 'worker-1', terminationGracePeriodSeconds: 0, containers: [sleeper] },
    };
    ours.push(
      await timed(async () => {
        await api.ask('POST', '/api/v1/namespaces/default/pods', pod);
        await watch.met;
      }),
    );
    await api.ask('DELETE', `/api/v1/namespaces/default/pods/${name}`);
  }
  await Promise.all(engines.map((engine) => engine.clean()));
  report(
    ratioFigure(
      'apply of 1 pod -> Running in the API',
      median(ours),
      median(raw),
      'ms',
      1.4,
      `median of ${rounds}`,
    ),
  );
  report(limitFigure('apply of 1 pod -> Running in the API', median(ours), 'ms', 700));
}

/** Thirty pods beside the same containers without an orchestrator; plain ones on the default bridge tell what a pod's network costs. */
async function thirtyPods(
  lab: Lab,
  api: BenchApi,
  engines: readonly RawEngine[],
  twin: Twin,
  report: Report,
  rounds: number,
): Promise<void> {
  const plain: number[] = [];
  const same: number[] = [];
  const ours: number[] = [];
  for (let i = 0; i < rounds; i++) {
    plain.push(await timedRaw(engines, (engine) => engine.create('busybox:latest', NETWORK)));
    same.push(await timedRaw(engines, twin));
    const watch = await api.until('app=thirty', (pods) => running(pods) === 30, 60_000);
    await watch.begun;
    const manifest = JSON.parse(deployment('thirty', { replicas: 30 })) as unknown;
    ours.push(
      await timed(async () => {
        await api.ask('POST', '/apis/apps/v1/namespaces/default/deployments', manifest);
        await watch.met;
      }),
    );
    await removeDeployment(lab, 'thirty');
  }
  const name = '30 pods over 3 workers -> all Running';
  report(ratioFigure(name, median(ours), median(same), 'ms', 1.25, `median of ${rounds}`));
  const [value, baseline] = [median(plain), median(same)];
  report({
    name: '30 plain containers on the default bridge, beside',
    value,
    unit: 'ms',
    baseline,
    ratio: value / baseline,
  });
}

/** Creates the same container as a pod's on an engine, with the `number`th address of a network of the same kind. */
type Twin = (engine: RawEngine, number: number) => Promise<string>;

async function twins(lab: Lab, engines: readonly RawEngine[]): Promise<Twin> {
  const recipe = await recipeOfPod(lab, engines);
  for (const engine of engines) await engine.createNetwork(TWIN_NETWORK, TWIN_SUBNET);
  return (engine, n) => engine.createLike(recipe, { network: TWIN_NETWORK, ip: `10.213.0.${10 + n}` });
}

/** What the engine was asked for a pod of the bench: everything but its name, labels and address. */
async function recipeOfPod(lab: Lab, engines: readonly RawEngine[]): Promise<ContainerRecipe> {
  await lab.apply(deployment('pattern', { replicas: 1 }));
  const node = nodeOf((await allReady(lab, 'pattern', 1))[0] as Pod);
  const engine = engines[NODES.indexOf(node)];
  if (engine === undefined) throw new Error(`no engine of ${node}`);
  const { Hostname: _, ...recipe } = await engine.recipeOf('coxswain.dev/role=app');
  // The pod's own files go with it; any other file costs the same.
  const mounts = (recipe.HostConfig['Mounts'] as object[]).map((m) => ({ ...m, Source: '/etc/hosts' }));
  const HostConfig = { ...recipe.HostConfig, Mounts: mounts };
  await removeDeployment(lab, 'pattern');
  return { ...recipe, Image: recipe.Image, HostConfig };
}

/** Milliseconds to make and start ten containers on each engine, as many at once as our agent does. */
async function timedRaw(engines: readonly RawEngine[], create: Twin): Promise<number> {
  const tookMs = await timed(() => Promise.all(engines.map((engine) => tenRaw(engine, create))));
  await Promise.all(engines.map((engine) => engine.clean()));
  return tookMs;
}

async function tenRaw(engine: RawEngine, create: Twin): Promise<void> {
  let left = 10;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await engine.start(await create(engine, left));
    }
  };
  await Promise.all([1, 2, 3, 4].map(lane));
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
    await lab.apply(deployment('warm', { replicas: 3 }));
    await allReady(lab, 'warm', 3);
    await removeDeployment(lab, 'warm');
    const api = await BenchApi.open(lab.kubeconfig);
    const dir = (await lab.run('path')).trim();
    const engines = NODES.map((node) => new RawEngine(`${dir}/${node}/docker.sock`));
    const twin = await twins(lab, engines);
    await onePod(api, engines, twin, report, quick ? 5 : 15);
    await thirtyPods(lab, api, engines, twin, report, quick ? 1 : 3);
    api.close();
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
