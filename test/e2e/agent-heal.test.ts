import * as assert from 'uvu/assert';
import { container, desiredPod } from '../build/pod.ts';
import { spec } from '../spec.ts';
import { AgentWorld } from './agent-world.ts';
import { canRunEngine } from './private-engine.ts';

const TWO = [container({ name: 'main' }), container({ name: 'side' })];

/** Ids and pids of everything the agent runs, to see that nothing was touched. */
async function fingerprint(world: AgentWorld): Promise<string> {
  const ids = (await world.engine.docker('ps', '-q', '--no-trunc')).split('\n').toSorted();
  return world.engine.docker('inspect', '-f', '{{.Id}} {{.State.Pid}} {{.State.StartedAt}}', ...ids);
}

if (canRunEngine()) {
  let world: AgentWorld;
  spec(
    'agent heals',
    (it) => {
      it('runs pods of one and of several containers', async () => {
        world.desire({
          pods: [desiredPod('one'), desiredPod('other'), desiredPod('two', { containers: TWO })],
        });
        for (const name of ['one', 'other', 'two']) await world.waitReady(name);
        const running = (await world.engine.docker('ps', '-q')).split('\n');
        assert.is(running.length, 5, 'one container for each single, two and a sandbox for the double');
        const ips = ['one', 'other', 'two'].map((name) => world.status(name)?.podIP);
        assert.is(new Set(ips).size, 3);
      });

      it('restarts a killed main process and touches nothing else', async () => {
        const untouched = await world.containerId('other');
        const before = await world.engine.docker('inspect', '-f', '{{.State.Pid}}', untouched);
        const ip = world.status('one')?.podIP;
        const pid = await world.engine.docker(
          'inspect',
          '-f',
          '{{.State.Pid}}',
          await world.containerId('one'),
        );
        await world.engine.inside('kill', '-9', pid);
        await world.wait('restart', () => world.restarts('one') === 1 && world.isReady('one'));
        assert.is(await world.engine.docker('inspect', '-f', '{{.State.Pid}}', untouched), before);
        assert.is(world.restarts('other'), 0);
        assert.is(world.status('one')?.podIP, ip);
        const last = world.status('one')?.containerStatuses?.[0]?.lastState?.terminated;
        assert.is(last?.exitCode, 137);
      });

      it('makes a removed container anew', async () => {
        await world.engine.docker('rm', '-f', await world.containerId('other'));
        await world.wait('new container', () => world.restarts('other') === 1 && world.isReady('other'));
      });

      it('makes a removed sandbox and its containers anew', async () => {
        const sandbox = await world.engine.docker('ps', '-q', '--filter', 'label=coxswain.dev/role=sandbox');
        await world.engine.docker('rm', '-f', sandbox);
        await world.wait('both again', () => {
          const restarted = ['main', 'side'].every((name) => world.restarts('two', name) === 1);
          return restarted && world.isReady('two');
        });
      });

      it('touches nothing when the agent is killed and started again, and reports nothing new', async () => {
        const before = await fingerprint(world);
        const newest = ['one', 'other', 'two'].map((name) => world.status(name));
        await world.killAgent();
        const told = world.reports.length;
        world.startAgent();
        await world.wait('reports of the new agent', () => world.reports.length >= told + 3);
        assert.is(await fingerprint(world), before);
        assert.equal(
          ['one', 'other', 'two'].map((name) => world.status(name)),
          newest,
        );
      });

      it('heals what died while the agent was away', async () => {
        await world.killAgent();
        await world.engine.docker('kill', await world.containerId('one'));
        world.startAgent();
        await world.wait('restart', () => world.restarts('one') === 2 && world.isReady('one'));
      });

      it('brings all pods back after the engine was killed and started again', async () => {
        await world.engine.killDaemon('SIGKILL');
        const told = world.reports.length;
        await world.engine.startDaemon();
        await world.wait('all pods', async () => {
          if (world.reports.length === told) return false;
          const running = (await world.engine.docker('ps', '-q')).split('\n');
          return running.length === 5 && ['one', 'other', 'two'].every((name) => world.isReady(name));
        });
      });

      it('brings all pods back after the engine was stopped and started again', async () => {
        await world.engine.killDaemon('SIGTERM');
        await world.engine.startDaemon();
        await world.wait('all pods', async () => {
          const running = (await world.engine.docker('ps', '-q')).split('\n');
          return running.length === 5 && ['one', 'other', 'two'].every((name) => world.isReady(name));
        });
      });

      it('keeps one dead container of each name and removes older ones', async () => {
        await world.wait('few dead ones', async () => {
          const dead = await world.engine.docker('ps', '-aq', '--filter', 'status=exited');
          return dead.split('\n').filter((id) => id !== '').length <= 4;
        });
      });

      it('removes pods that are no longer desired, reporting nothing', async () => {
        const told = world.reports.length;
        world.desire({ pods: [desiredPod('one')] });
        await world.wait('the others to go', async () => {
          const left = await world.engine.docker(
            'ps',
            '-aq',
            '--filter',
            'label=coxswain.dev/pod-uid=uid-two',
          );
          const right = await world.engine.docker(
            'ps',
            '-aq',
            '--filter',
            'label=coxswain.dev/pod-uid=uid-other',
          );
          return left === '' && right === '';
        });
        assert.equal(
          world.reports.slice(told).filter((r) => r.name !== 'one'),
          [],
        );
      });
    },
    {
      before: async () => {
        world = await AgentWorld.start();
      },
      after: async () => world?.stop(),
      caseTimeoutMs: 45_000,
    },
  );
}
