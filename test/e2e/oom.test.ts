import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import type { Container } from '../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../build/pod.ts';
import { spec } from '../spec.ts';
import { AgentWorld } from './agent-world.ts';
import { canRunEngine } from './private-engine.ts';

const DEAF = fileURLToPath(new URL('./deaf-agent.ts', import.meta.url));
/** An emulated machine takes long for everything. */
const SLOW_MS = 90_000;
const HUNGRY = 'x=$(head -c 60000000 /dev/zero | tr "\\0" x); echo $x | wc -c';

const never = (script: string, overrides: Partial<Container> = {}) => ({
  restartPolicy: 'Never' as const,
  containers: [
    container({
      resources: { limits: { memory: '16Mi' } },
      command: ['sh', '-c', script],
      ...overrides,
    }),
  ],
});

/** The kernel's log, which alone tells here, is absent or forbidden in some containers. */
function hasKernelLog(): boolean {
  try {
    closeSync(openSync('/dev/kmsg', 'r'));
    return true;
  } catch {
    return false;
  }
}

if (canRunEngine() && hasKernelLog()) {
  let world: AgentWorld;
  const ended = (pod: string) => world.status(pod)?.containerStatuses?.[0]?.state?.terminated;
  const oomEvents = (pod: string) => world.events.filter((e) => e.involved.name === pod);
  const allEnded = (...pods: string[]): Promise<void> =>
    world.wait('all ended', () => pods.every((pod) => ended(pod) !== undefined), SLOW_MS);

  spec(
    'memory kills that the engine does not notice',
    (it) => {
      it('are told by the kernel log: main process, child, and no others', async () => {
        world.startAgent(DEAF);
        world.desire({
          pods: [
            desiredPod('main', never(`exec sh -c '${HUNGRY}'`)),
            desiredPod('child', never(`sh -c '${HUNGRY}'; exit $?`)),
            desiredPod('parent', never(`sh -c '${HUNGRY}'; exit 3`)),
            desiredPod('killed', never("sh -c 'kill -9 $$$$'; exit $?")),
            desiredPod('failed', never('exit 3')),
          ],
        });
        await allEnded('main', 'child', 'parent', 'killed', 'failed');
        const told = (pod: string) => [ended(pod)?.reason, ended(pod)?.exitCode];
        assert.is(ended('main')?.reason, 'OOMKilled');
        assert.equal(told('child'), ['OOMKilled', 137]);
        assert.equal(told('parent'), ['OOMKilled', 3]);
        assert.equal(told('failed'), ['Error', 3]);
        assert.equal(told('killed'), ['Error', 137]);
        const counts = oomEvents('child').filter((e) => e.reason === 'OOMKilling');
        assert.equal(
          counts.map((e) => e.count),
          [1],
        );
        assert.not.ok(world.eventReasons('killed').includes('OOMKilling'));
      });

      it('are told of a container that ended while the agent was away', async () => {
        const body = never(`until [ -e /go/now ]; do sleep 0.1; done; sh -c '${HUNGRY}'; exit $?`, {
          volumeMounts: [{ name: 'go', mountPath: '/go' }],
        });
        const go = { name: 'go', hostPath: { path: `${world.engine.folder}/go`, type: 'DirectoryOrCreate' } };
        world.desire({ pods: [desiredPod('away', { ...body, volumes: [go] })] });
        await world.wait('it runs', () => world.isReady('away'), SLOW_MS);
        const id = await world.containerId('away');
        await world.killAgent();
        await world.engine.inside('touch', `${world.engine.folder}/go/now`);
        await world.engine.docker('wait', id);
        world.startAgent(DEAF);
        await allEnded('away');
        assert.equal([ended('away')?.reason, ended('away')?.exitCode], ['OOMKilled', 137]);
      });
    },
    {
      caseTimeoutMs: 2 * SLOW_MS,
      before: async () => {
        world = await AgentWorld.withoutAgent();
      },
      after: () => world.stop(),
    },
  );
}
