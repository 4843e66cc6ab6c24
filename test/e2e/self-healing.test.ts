import * as assert from 'uvu/assert';
import type { Event } from '../../protocol/kinds/core.ts';
import { spec } from '../spec.ts';
import {
  allReady,
  containerId,
  countByNode,
  deployment,
  killMainProcess,
  nodeOf,
  nodesIdle,
  nodesReady,
  podsOf,
  restartsOf,
  runningContainers,
} from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;

spec(
  'a deployment on three devices',
  (it) => {
    it('runs six replicas, Ready and spread', async () => {
      await lab.apply(deployment('web', { replicas: 6 }));
      const pods = await allReady(lab, 'web', 6);
      assert.equal(countByNode(pods), { 'worker-1': 2, 'worker-2': 2, 'worker-3': 2 });
      const addresses = pods.map((p) => p.status?.podIP);
      assert.is(new Set(addresses).size, 6, `every pod has an address of its own: ${addresses.join(' ')}`);
      for (const node of ['worker-1', 'worker-2', 'worker-3']) {
        assert.is((await runningContainers(lab, node)).length, 2, 'one container for a one-container pod');
      }
    });

    it('answers logs and exec through the hub', async () => {
      await lab.apply(
        deployment('talker', { replicas: 1, command: ['sh', '-c', 'echo hello; exec sleep 1000000'] }),
      );
      const [pod] = await allReady(lab, 'talker', 1);
      assert.is(await lab.kubectl('logs', 'deployment/talker'), 'hello\n');
      const name = pod?.metadata.name ?? '';
      assert.is(await lab.kubectl('exec', name, '--', 'sh', '-c', 'echo from; hostname'), `from\n${name}\n`);
      const refused = await lab
        .kubectl('exec', name, '--', 'sh', '-c', 'exit 7')
        .catch((e: { code: number }) => e.code);
      assert.is(refused, 7);
      await lab.kubectl('delete', 'deployment', 'talker');
    });

    it('restarts a container whose main process was killed, and touches no other', async () => {
      const before = await podsOf(lab, 'web');
      const victim = before[0];
      assert.ok(victim);
      await killMainProcess(lab, nodeOf(victim), containerId(victim));
      await lab.eventually(
        async () =>
          (await allReady(lab, 'web', 6)).some(
            (p) => p.metadata.uid === victim.metadata.uid && restartsOf(p) === 1,
          ),
        { withinMs: 30_000 },
      );
      const after = new Map((await podsOf(lab, 'web')).map((p) => [p.metadata.uid, p]));
      for (const pod of before.slice(1)) {
        const now = after.get(pod.metadata.uid);
        assert.ok(now);
        assert.is(containerId(now), containerId(pod));
        assert.is(restartsOf(now), 0);
      }
    });

    it('makes a container again that was removed behind its back', async () => {
      const [victim] = (await podsOf(lab, 'web')).slice(-1);
      assert.ok(victim);
      await lab.docker(nodeOf(victim), 'rm', '-f', containerId(victim));
      await lab.eventually(
        async () => {
          const now = (await podsOf(lab, 'web')).find((p) => p.metadata.uid === victim.metadata.uid);
          return now !== undefined && containerId(now) !== containerId(victim) && restartsOf(now) >= 1;
        },
        { withinMs: 30_000 },
      );
      await allReady(lab, 'web', 6);
    });

    it('makes a sandbox again, with the containers that lived in it', async () => {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'pair', labels: { app: 'pair' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'main',
              image: 'busybox:latest',
              imagePullPolicy: 'IfNotPresent',
              command: ['httpd', '-f', '-p', '8080', '-h', '/etc'],
            },
            {
              name: 'side',
              image: 'busybox:latest',
              imagePullPolicy: 'IfNotPresent',
              command: ['sleep', '1000000'],
            },
          ],
        },
      };
      await lab.apply(JSON.stringify(pod));
      const [made] = await allReady(lab, 'pair', 1);
      assert.ok(made);
      const fetch = (): Promise<string> =>
        lab.kubectl(
          'exec',
          'pair',
          '-c',
          'side',
          '--',
          'timeout',
          '5',
          'wget',
          '-q',
          '-O',
          '-',
          'http://127.0.0.1:8080/passwd',
        );
      assert.match(await fetch(), 'root', 'containers of a pod share localhost');
      const [sandbox] = await runningContainers(lab, nodeOf(made), 'label=coxswain.dev/role=sandbox');
      assert.ok(sandbox, 'a pod of two containers has a sandbox');
      await lab.docker(nodeOf(made), 'rm', '-f', sandbox);
      await lab.eventually(
        async () => {
          const now = await runningContainers(lab, nodeOf(made), 'label=coxswain.dev/role=sandbox');
          return now.length === 1 && now[0] !== sandbox;
        },
        { withinMs: 30_000 },
      );
      await allReady(lab, 'pair', 1);
      await lab.eventually(async () => (await fetch()).includes('root'), { withinMs: 20_000 });
      await lab.kubectl('delete', 'pod', 'pair');
    });

    it('heals with the hub stopped, and tells later when it happened', async () => {
      const before = await allReady(lab, 'web', 6);
      const victim = before[1];
      assert.ok(victim);
      const restarts = restartsOf(victim);
      await lab.run('hub', 'stop');
      await killMainProcess(lab, nodeOf(victim), containerId(victim));
      const uid = `label=coxswain.dev/pod-uid=${victim.metadata.uid}`;
      await lab.eventually(
        async () => {
          const [id] = await runningContainers(lab, nodeOf(victim), uid);
          return id !== undefined && id !== containerId(victim);
        },
        { withinMs: 60_000 },
      );
      const healedAtMs = Date.now();
      await lab.run('hub', 'start');
      await nodesReady(lab);
      const after = await lab.eventually(
        async () => {
          const pods = await allReady(lab, 'web', 6);
          return pods.some((p) => p.metadata.uid === victim.metadata.uid && restartsOf(p) === restarts + 1)
            ? pods
            : false;
        },
        { withinMs: 30_000 },
      );
      const healed = after.find((p) => p.metadata.uid === victim.metadata.uid);
      const finishedAt = healed?.status?.containerStatuses?.[0]?.lastState?.terminated?.finishedAt ?? '';
      assert.ok(
        Date.parse(finishedAt) <= healedAtMs,
        `finished ${finishedAt}, healed ${new Date(healedAtMs).toISOString()}`,
      );
      for (const pod of before.filter((p) => p.metadata.uid !== victim.metadata.uid)) {
        const now = after.find((p) => p.metadata.uid === pod.metadata.uid);
        assert.is(now && containerId(now), containerId(pod), 'the reconnect restarted and recreated nothing');
      }
      const events = await lab.eventually(
        async () => {
          const all = await lab.get<{ items: Event[] }>(
            'events',
            '--field-selector',
            `involvedObject.uid=${victim.metadata.uid}`,
          );
          const started = all.items.filter((e) => e.reason === 'Started');
          return started.length > 0 ? started : false;
        },
        { withinMs: 20_000 },
      );
      assert.ok(
        events.some((e) => Date.parse(e.lastTimestamp ?? '') <= healedAtMs),
        'the event carries the time it happened',
      );
    });

    it('brings every pod back after a power cut with no hub', async () => {
      const before = await allReady(lab, 'web', 6);
      const mine = before.filter((p) => nodeOf(p) === 'worker-1');
      await lab.run('hub', 'stop');
      await lab.run('power-off', 'worker-1');
      await lab.run('power-on', 'worker-1');
      const revived = await lab.eventually(
        async () => {
          const ids = await runningContainers(lab, 'worker-1');
          return ids.length === mine.length ? ids : false;
        },
        { withinMs: 60_000 },
      );
      await lab.run('hub', 'start');
      await nodesReady(lab);
      // The hub shows what it knew before it stopped until the device has told it more.
      const after = await lab.eventually(
        async () => {
          const pods = await allReady(lab, 'web', 6);
          const told = pods.filter((p) => nodeOf(p) === 'worker-1').map((p) => containerId(p));
          return told.every((id) => revived.includes(id)) ? pods : false;
        },
        { withinMs: 40_000 },
      );
      assert.equal(
        after.map((p) => p.metadata.uid).sort(),
        before.map((p) => p.metadata.uid).sort(),
        'no pod was replaced',
      );
      const now = await runningContainers(lab, 'worker-1');
      assert.equal(now.sort(), revived.sort(), 'the returning hub churned nothing');
    });

    it('leaves every container alone when the agent is killed or stopped', async () => {
      const before = (await runningContainers(lab, 'worker-2')).sort();
      const agent = (await lab.pids('worker-2'))['agent'];
      await lab.run('agent', 'kill', 'worker-2');
      await lab.eventually(
        async () => {
          const now = (await lab.pids('worker-2'))['agent'];
          return now !== undefined && now !== agent;
        },
        { withinMs: 20_000 },
      );
      await lab.run('agent', 'stop', 'worker-2');
      await lab.run('agent', 'start', 'worker-2');
      await nodesReady(lab);
      await allReady(lab, 'web', 6);
      assert.equal((await runningContainers(lab, 'worker-2')).sort(), before);
    });

    it('brings pods back after the engine was killed', async () => {
      await lab.run('dockerd', 'kill', 'worker-3');
      await lab.run('dockerd', 'start', 'worker-3');
      await lab.eventually(async () => (await runningContainers(lab, 'worker-3')).length === 2, {
        withinMs: 60_000,
      });
      await allReady(lab, 'web', 6);
    });

    it('updates without going below the wanted number', async () => {
      const minimum = 6 - Math.floor(6 * 0.25);
      let lowest = 6;
      let done = false;
      const watching = (async () => {
        while (!done)
          lowest = Math.min(
            lowest,
            (await podsOf(lab, 'web')).filter(
              (p) => p.status?.phase === 'Running' && p.metadata.deletionTimestamp === undefined,
            ).length,
          );
      })();
      await lab.kubectl('set', 'image', 'deployment/web', 'main=busybox:2');
      await lab.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
      done = true;
      await watching;
      assert.ok(lowest >= minimum, `never below ${minimum}, saw ${lowest}`);
      const pods = await allReady(lab, 'web', 6);
      assert.ok(pods.every((p) => p.spec.containers[0]?.image === 'busybox:2'));
      assert.match(await lab.kubectl('rollout', 'history', 'deployment/web'), /\n2 /);
    });
  },
  {
    caseTimeoutMs: 240_000,
    before: async () => {
      lab = await startLab({ workers: 3, name: 'heal', alone: true });
      await nodesIdle(lab);
    },
    after: () => lab.stop(),
  },
);
