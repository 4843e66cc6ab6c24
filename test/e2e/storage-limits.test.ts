import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { upperDirIn } from '../../edge-agent/decide/local-storage.ts';
import type { Container, Volume } from '../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../build/pod.ts';
import { spec } from '../spec.ts';
import { AgentWorld } from './agent-world.ts';
import { CALM } from './calm-profile.ts';
import { canRunEngine } from './private-engine.ts';

const PROGRAM = fileURLToPath(new URL('./defended-agent.ts', import.meta.url));
const LIMITED = { limits: { 'ephemeral-storage': '8Mi' } };

/** Writes so many MiB to a place, and stays. */
const writer = (mebibytes: number, place: string, more: Partial<Container> = {}): Container =>
  container({
    command: ['sh', '-c', `dd if=/dev/zero of=${place} bs=1M count=${mebibytes} 2>/dev/null; sleep 100000`],
    ...more,
  });

if (canRunEngine()) {
  let world: AgentWorld;
  const startAgent = (): void => world.startAgent(PROGRAM, join(world.engine.folder, 'site.yaml'));

  spec(
    'limits of local storage on a real engine, cut off from any hub',
    (it) => {
      it('end pods over them with the words of Kubernetes, leave the others, and hold after a crash', async () => {
        const volumes: Volume[] = [{ name: 'v', emptyDir: { sizeLimit: '8Mi' } }];
        const volumeMounts = [{ name: 'v', mountPath: '/v' }];
        const memory: Volume[] = [{ name: 'v', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } }];
        const chatter = 'head -c 12000000 /dev/zero | tr "\\0" x | fold -w 1000; sleep 100000';
        const pods = [
          desiredPod('dir', { volumes, containers: [writer(12, '/v/fill', { volumeMounts })] }),
          desiredPod('layer', {
            containers: [
              writer(12, '/fill', { resources: LIMITED }),
              container({ name: 'side', resources: { limits: { 'ephemeral-storage': '1Gi' } } }),
            ],
          }),
          desiredPod('log', {
            containers: [container({ command: ['sh', '-c', chatter], resources: LIMITED })],
          }),
          desiredPod('modest', { volumes, containers: [writer(2, '/v/fill', { volumeMounts })] }),
          desiredPod('memory', { volumes: memory, containers: [writer(12, '/v/fill', { volumeMounts })] }),
        ];
        world.desire({ pods });
        const gone = ['dir', 'layer', 'log'];
        await world.wait(
          'the evictions',
          () => gone.every((name) => world.status(name)?.phase === 'Failed'),
          120_000,
        );
        assert.equal(
          gone.map((name) => [world.status(name)?.reason, world.status(name)?.message]),
          [
            ['Evicted', 'Usage of EmptyDir volume "v" exceeds the limit "8Mi". '],
            ['Evicted', 'Container main exceeded its local ephemeral storage limit "8Mi". '],
            ['Evicted', 'Pod ephemeral local storage usage exceeds the total limit of containers 8Mi. '],
          ],
        );
        for (const name of gone) await world.told(name, 'Evicted');
        const running = async (): Promise<string[]> =>
          (await world.engine.docker('ps', '--format', '{{.Label "coxswain.dev/pod-name"}}'))
            .split('\n')
            .sort();
        await world.wait('the others alone', async () => (await running()).join() === 'memory,modest');
        const id = await world.containerId('memory');
        const table = await world.engine.docker('exec', id, 'cat', '/proc/mounts');
        assert.match(table, /^tmpfs \/v tmpfs .*size=8192k/m);
        await world.killAgent();
        world.reports.length = 0;
        startAgent();
        await world.wait('the same answer', () =>
          gone.every((name) => world.status(name)?.reason === 'Evicted'),
        );
        assert.equal(await running(), ['memory', 'modest']);
      });

      it('are measured in the folder that the engine writes to', async () => {
        const id = await world.containerId('modest');
        const format = '{{.GraphDriver.Data.UpperDir}} {{.State.Pid}}';
        const [upper = '', pid = ''] = (await world.engine.docker('inspect', '--format', format, id)).split(
          ' ',
        );
        assert.match(upper, /diff$/);
        const inside = await world.engine.inside('cat', `/proc/${pid}/mountinfo`);

        assert.is(upperDirIn(inside), upper);
      });
    },
    {
      caseTimeoutMs: 240_000,
      before: async () => {
        world = await AgentWorld.withoutAgent();
        writeFileSync(join(world.engine.folder, 'site.yaml'), CALM);
        startAgent();
      },
      after: () => world.stop(),
    },
  );
}
