import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { Event } from '../../protocol/kinds/core.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { spec } from '../spec.ts';
import { allReady, containerId, deployment, isReady, podsOf, restartsOf } from './cluster.ts';
import { ApiClient, readAccess } from './hub-process.ts';
import { type Lab, startLab } from './lab.ts';

const NODE = 'worker-1';
const KILLS = 8;
const STILL = 3;
/** Pods that come and go, by name. */
const CHURNING = 4;
const PODS = '/api/v1/namespaces/default/pods';
const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
/** As long as the cache takes writes quickly, whatever moment it is killed in is as good as any. */
const MAX_LIFE_MS = 1_500;

/** Ends on SIGTERM: an agent that has forgotten a pod gives its containers the default grace of 30 s. */
const OBEDIENT = ['sh', '-c', 'trap "exit 0" TERM; sleep 1000000 & wait'];

let lab: Lab;
let api: ApiClient;

/** Changes the desired state of the node as fast as the hub takes it: a config map that a pod holds, and pods coming and going. */
class Churn {
  changes = 0;
  lastValue = '';
  #ended = false;
  readonly #running: Promise<unknown>;

  constructor() {
    this.#running = Promise.all([this.#changeConfig(), this.#changePods()]);
  }

  /** Ends with every coming and going pod deleted. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#running;
    for (let i = 0; i < CHURNING; i += 1) await api.ask('DELETE', `${PODS}/churn-${i}`);
  }

  async #changeConfig(): Promise<void> {
    while (!this.#ended) {
      const value = `${this.changes}`;
      const body = {
        metadata: { name: 'shared' },
        data: { value, filler: 'x'.repeat((this.changes * 97) % 4000) },
      };
      const { status, text } = await api.ask('PUT', `${CONFIGMAPS}/shared`, body);
      assert.is(status, 200, text);
      this.lastValue = value;
      this.changes += 1;
    }
  }

  async #changePods(): Promise<void> {
    for (let i = 0; !this.#ended; i += 1) {
      const name = `churn-${i % CHURNING}`;
      const made = await api.ask('POST', PODS, churningPod(name));
      assert.ok([201, 409].includes(made.status), made.text);
      const gone = await api.ask('DELETE', `${PODS}/churn-${(i + 2) % CHURNING}`);
      assert.ok([200, 202, 404].includes(gone.status), gone.text);
      this.changes += 2;
    }
  }
}

function churningPod(name: string): unknown {
  return {
    metadata: { name, labels: { app: 'churn' } },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: 'busybox:latest',
          imagePullPolicy: 'IfNotPresent',
          command: OBEDIENT,
        },
      ],
    },
  };
}

/** Kills the agent with SIGKILL, by its pid, and waits for the next one. */
async function killAgent(): Promise<void> {
  const { agent } = await lab.pids(NODE);
  assert.ok(agent);
  process.kill(agent, 'SIGKILL');
  await lab.eventually(
    async () => {
      const next = (await lab.pids(NODE))['agent'];
      return next !== undefined && next !== agent;
    },
    { withinMs: 10_000 },
  );
}

/** Waits until the untouched pods' containers are all that runs. */
async function onlyStillRun(): Promise<void> {
  const format = '{{.Label "coxswain.dev/pod-name"}} {{.Status}}';
  await lab.eventually(
    async () => {
      const out = await lab.docker(NODE, 'ps', '--filter', 'label=coxswain.dev/pod-uid', '--format', format);
      const lines = out.trim().split('\n');
      assert.is(lines.filter((line) => line.startsWith('still-')).length, STILL, out);
      assert.is(lines.length, STILL, out);
      return true;
    },
    { withinMs: 20_000, everyMs: 200 },
  );
}

async function agentStarts(): Promise<{ cache: string }[]> {
  const lines = (await lab.run('logs', NODE)).split('\n').filter((line) => line.includes('"agent starting"'));
  return lines.map((line) => JSON.parse(line) as { cache: string });
}

spec(
  'an agent that is killed at any moment',
  (it) => {
    it(`finds its cache readable, converges and touches no other container, in ${KILLS} rounds`, async () => {
      const before = await allReady(lab, 'still', STILL);
      const starts = (await agentStarts()).length;
      const churn = new Churn();
      for (let round = 0; round < KILLS; round += 1) {
        const changes = churn.changes;
        await lab.eventually(() => churn.changes > changes + 10, { withinMs: 10_000, everyMs: 5 });
        await new Promise((resolve) => setTimeout(resolve, Math.random() * MAX_LIFE_MS));
        await killAgent();
      }
      await churn.end();
      await lab.eventually(async () => (await podsOf(lab, 'churn')).length === 0, { withinMs: 30_000 });
      const after = await allReady(lab, 'still', STILL, 20_000);
      assert.equal(
        after.map((p) => [containerId(p), restartsOf(p)]).sort(),
        before.map((p) => [containerId(p), restartsOf(p)]).sort(),
      );
      await onlyStillRun();
      const [reader] = after;
      const read = ['exec', reader?.metadata.name ?? '', '--', 'cat', '/shared/value'];
      await lab.eventually(async () => assert.is(await lab.kubectl(...read), churn.lastValue) === undefined, {
        withinMs: 20_000,
        everyMs: 500,
      });
      const caches = (await agentStarts()).slice(starts).map((s) => s.cache);
      // On a busy machine an agent may be killed before it has said anything.
      assert.equal([...new Set(caches)], ['held']);
      const files = await lab.exec(NODE, 'ls', '/var/lib/coxswain/cache');
      assert.not.match(files, '.bad');
      process.stdout.write(`${churn.changes} changes under ${KILLS} kills, ${caches.length} starts\n`);
    });

    it('follows the next word of the hub as if nothing had been', async () => {
      assert.is((await api.ask('POST', PODS, churningPod('churn-next'))).status, 201);
      const isUp = async (): Promise<boolean> => isReady(await api.get<Pod>(`${PODS}/churn-next`));
      await lab.eventually(isUp, { withinMs: 20_000 });
      await lab.kubectl('delete', 'pod', 'churn-next');
      await onlyStillRun();
    });

    it('is not told as an engine that is down', async () => {
      const notReady = async (): Promise<number> => {
        const filter = 'involvedObject.kind=Node,reason=NodeNotReady';
        const { items } = await lab.get<{ items: Event[] }>('events', '-A', '--field-selector', filter);
        return items.reduce((sum, event) => sum + (event.count ?? 1), 0);
      };
      const connections = async (): Promise<number> =>
        (await lab.run('logs', 'hub')).split('"device connected"').length;
      const before = [await connections(), await notReady()] as const;
      await killAgent();
      await lab.eventually(async () => (await connections()) > before[0], { withinMs: 10_000 });
      await api.ask('POST', PODS, churningPod('churn-after'));
      const isUp = async (): Promise<boolean> => isReady(await api.get<Pod>(`${PODS}/churn-after`));
      await lab.eventually(isUp, { withinMs: 20_000 });
      assert.is(await notReady(), before[1]);
    });

    it('is alone on its data directory: a second agent says who is there and ends', async () => {
      const { agent } = await lab.pids(NODE);
      const command = readFileSync(`/proc/${agent}/cmdline`, 'utf8').split('\0').slice(0, -1);
      const error = await lab.exec(NODE, ...command).then(
        () => undefined,
        (e: { code: number; stderr: string }) => e,
      );
      assert.is(error?.code, 1);
      assert.match(
        error?.stderr ?? '',
        /another agent \(pid \d+\) is using \/var\/lib\/coxswain: stop it first/,
      );
      assert.is((await lab.pids(NODE))['agent'], agent);
    });
  },
  {
    caseTimeoutMs: 90_000,
    before: async () => {
      lab = await startLab({ workers: 1, name: 'agent', alone: true });
      api = new ApiClient(readAccess(readFileSync(lab.kubeconfig, 'utf8')));
      assert.is(
        (await api.ask('POST', CONFIGMAPS, { metadata: { name: 'shared' }, data: { value: '' } })).status,
        201,
      );
      const mounts = [{ name: 'shared', mountPath: '/shared' }];
      const volumes = [{ name: 'shared', configMap: { name: 'shared' } }];
      await lab.apply(
        deployment('still', { replicas: STILL, pod: { volumes }, container: { volumeMounts: mounts } }),
      );
      await allReady(lab, 'still', STILL);
    },
    after: async () => {
      api?.close();
      await lab.stop();
    },
  },
);
