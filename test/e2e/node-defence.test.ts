import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import type { Container } from '../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../build/pod.ts';
import { spec } from '../spec.ts';
import { AgentWorld } from './agent-world.ts';
import { CALM } from './calm-profile.ts';
import { canRunEngine } from './private-engine.ts';

const PROGRAM = fileURLToPath(new URL('./defended-agent.ts', import.meta.url));
const REGISTRY = fileURLToPath(new URL('./tiny-registry.ts', import.meta.url));
const SERIAL = 'coxswain.dev/serial';
const PORT = 5055;

/** Memory is always short, whatever the machine has. */
const SHORT = CALM.replace(/memoryPressureAvailableRatio.*/, 'memoryPressureAvailableRatio: 1').concat(
  'evictionHoldMs: 300\nevictionIntervalMs: 1500\nevictionGraceMs: 1000\n',
);
/** The disk is always too full for images that nobody needs. */
const FULL = CALM.replace(/imageGcHighRatio.*/, 'imageGcHighRatio: 0.000001')
  .replace(/imageGcLowRatio.*/, 'imageGcLowRatio: 0.000001')
  .concat('imageGcMinAgeMs: 0\n');

const sh = (script: string): string[] => ['sh', '-c', script];
const limited = (resources: Container['resources'], overrides: Partial<Container> = {}): Container =>
  container({ ...(resources === undefined ? {} : { resources }), ...overrides });

if (canRunEngine()) {
  let world: AgentWorld;

  const restartAgent = async (profile: string): Promise<void> => {
    await world.killAgent();
    const path = join(world.engine.folder, 'site.yaml');
    writeFileSync(path, profile);
    world.startAgent(PROGRAM, path);
  };
  const inspect = (id: string, format: string): Promise<string> =>
    world.engine.docker('inspect', '--format', format, id);
  const running = async (): Promise<string[]> => {
    const names = await world.engine.docker('ps', '--format', '{{.Label "coxswain.dev/pod-name"}}');
    return names.split('\n').sort();
  };
  const ended = (pod: string) => world.status(pod)?.containerStatuses?.[0]?.state?.terminated;
  const waiting = (pod: string) => world.status(pod)?.containerStatuses?.[0]?.state?.waiting;

  spec(
    'the node defends itself',
    (it) => {
      it('turns requests and limits into settings of the kernel', async () => {
        await restartAgent(`${CALM}pidsLimit: 123\nlogMaxSize: 64Ki\nlogMaxFiles: 3\n`);
        const resources = { requests: { cpu: '250m' }, limits: { cpu: '64', memory: '32Mi' } };
        world.desire({ pods: [desiredPod('limits', { containers: [limited(resources)] })] });
        await world.waitReady('limits');
        const id = await world.containerId('limits');
        const { HostConfig: host } = JSON.parse(await inspect(id, '{{json .}}')) as {
          HostConfig: Record<string, unknown>;
        };
        assert.equal(
          [host['CpuShares'], host['CpuQuota'], host['Memory'], host['PidsLimit']],
          [256, 6_400_000, 32 * 1024 * 1024, 123],
        );
        assert.equal((host['LogConfig'] as { Config: object }).Config, {
          'max-file': '3',
          'max-size': '64k',
        });
        assert.is(world.status('limits')?.qosClass, 'Burstable');
      });

      it('shows who was killed for its memory, also when it was only a child', async () => {
        const hungry = 'x=$(head -c 60000000 /dev/zero | tr "\\0" x); echo $x | wc -c';
        const resources = { limits: { memory: '16Mi' } };
        const body = (command: string[]) => ({
          restartPolicy: 'Never' as const,
          containers: [limited(resources, { command })],
        });
        world.desire({
          pods: [
            desiredPod('eater', body(sh(`exec sh -c '${hungry}'`))),
            desiredPod('parent', body(sh(`sh -c '${hungry}'; sleep 1; exit 3`))),
          ],
        });
        await world.wait('both ended', () => ended('eater') !== undefined && ended('parent') !== undefined);
        assert.is(ended('eater')?.reason, 'OOMKilled');
        assert.equal([ended('parent')?.reason, ended('parent')?.exitCode], ['OOMKilled', 3]);
        await world.told('parent', 'OOMKilling');
      });

      it('evicts one pod after the other in order, spares the critical, and starts none of them again', async () => {
        await restartAgent(CALM);
        const use = (mebibytes: number): string[] =>
          sh(`dd if=/dev/zero of=/dev/shm/fill bs=1M count=${mebibytes} 2>/dev/null; sleep 100000`);
        const asks = (memory: string, priority: number, mebibytes: number) => ({
          priority,
          containers: [limited({ requests: { memory } }, { command: use(mebibytes) })],
        });
        const pods = [
          desiredPod('modest', asks('200Mi', 0, 1)),
          desiredPod('greedy', asks('1Mi', 1000, 24)),
          desiredPod('greedy-low', asks('1Mi', 5, 12)),
          desiredPod('critical', {
            ...asks('1Mi', 2_000_001_000, 24),
            priorityClassName: 'system-node-critical',
          }),
        ];
        world.desire({ pods });
        for (const { metadata } of pods) await world.waitReady(metadata.name);
        await restartAgent(SHORT);
        const failed = (): string[] => [
          ...new Set(world.reports.filter((r) => r.status.reason === 'Evicted').map((r) => r.name)),
        ];
        await world.wait('three evictions', () => failed().length === 3, 40_000);
        assert.equal(failed(), ['greedy-low', 'greedy', 'modest'], 'over request, then priority');
        // A pod of the case before may still be within its grace.
        await world.wait('the critical alone', async () => (await running()).join() === 'critical', 40_000);
        const status = world.status('greedy');
        assert.is(status?.phase, 'Failed');
        assert.match(
          status?.message ?? '',
          /^The node was low on resource: memory\. Threshold quantity: \S+, available: \S+\. Container main was using \S+, request is 1Mi, has larger consumption of memory\. $/,
        );
        const target = status?.conditions?.find((c) => c.type === 'DisruptionTarget');
        assert.equal([target?.status, target?.reason], ['True', 'TerminationByKubelet']);
        await world.told('greedy', 'Evicted');
        assert.ok(
          world.facts.at(-1)?.conditions.some((c) => c.type === 'MemoryPressure' && c.status === 'True'),
        );
        await world.killAgent();
        await world.engine.inside('rm', '-rf', '/run/coxswain');
        world.reports.length = 0;
        await restartAgent(CALM);
        await world.wait('all reported', () =>
          pods.every((p) => world.status(p.metadata.name) !== undefined),
        );
        await world.waitReady('critical');
        assert.is(world.status('greedy')?.phase, 'Failed', 'as if after a reboot');
        assert.equal(await running(), ['critical']);
      });

      it('gives each device to one container, without privileges, and keeps it over a restart of the agent', async () => {
        const folder = join(world.engine.folder, 'dev', 'by-id');
        const plug = (name: string, minor = 5): void => {
          mkdirSync(folder, { recursive: true });
          execFileSync('mknod', [join(folder, name), 'c', '1', String(minor)]);
        };
        const profile = `${CALM}devices:\n  - name: ${SERIAL}\n    paths: ["${folder}/usb-*"]\n    env: SERIAL\n`;
        await restartAgent(profile);
        await world.wait('the resource, absent', () => world.facts.at(-1)?.devices?.[SERIAL] === 0);
        const reader = limited(
          { limits: { [SERIAL]: '1' } },
          { command: sh('head -c 3 "$SERIAL" | wc -c && exec sleep 100000') },
        );
        const pods = ['a', 'b', 'c'].map((name) => desiredPod(`serial-${name}`, { containers: [reader] }));
        world.desire({ pods: pods.slice(0, 1) });
        await world.wait('refusal', () => waiting('serial-a')?.reason === 'UnexpectedAdmissionError');
        assert.match(
          waiting('serial-a')?.message ?? '',
          `unavailable for ${SERIAL}. Requested: 1, Available: 0`,
        );
        plug('usb-1');
        plug('usb-2');
        await world.waitReady('serial-a');
        assert.is(world.facts.at(-1)?.devices?.[SERIAL], 2);
        world.desire({ pods: pods.slice(0, 2) });
        await world.waitReady('serial-b');
        world.desire({ pods });
        await world.wait('no third', () =>
          world.eventReasons('serial-c').includes('UnexpectedAdmissionError'),
        );
        const given = async (pod: string): Promise<string> =>
          inspect(await world.containerId(pod), '{{json .HostConfig.Devices}} {{.HostConfig.Privileged}}');
        const mapping = (name: string): string =>
          `[{"PathOnHost":"${folder}/${name}","PathInContainer":"${folder}/${name}","CgroupPermissions":"rwm"}] false`;
        assert.is(await given('serial-a'), mapping('usb-1'));
        assert.is(await given('serial-b'), mapping('usb-2'));
        assert.is(await world.engine.docker('logs', await world.containerId('serial-a')), '3');
        const before = await world.containerId('serial-b');
        await restartAgent(profile);
        await world.engine.docker('kill', await world.containerId('serial-a'));
        await world.wait(
          'serial-a again',
          () => world.restarts('serial-a') === 1 && world.isReady('serial-a'),
        );
        assert.is(await given('serial-a'), mapping('usb-1'), 'not that of another');
        assert.is(await world.containerId('serial-b'), before);
        plug('usb-3');
        await world.waitReady('serial-c');
        assert.is(await given('serial-c'), mapping('usb-3'));
        rmSync(join(folder, 'usb-2'));
        await world.wait('usb-2 to be away', () => world.facts.at(-1)?.devices?.[SERIAL] === 2);
        assert.is(await world.containerId('serial-b'), before, 'whose device is away runs on');
        plug('usb-2', 9);
        await world.wait('serial-b with the new one', () => world.restarts('serial-b') === 1);
        await world.waitReady('serial-b');
        assert.is(await given('serial-b'), mapping('usb-2'));
        rmSync(join(folder, 'usb-3'));
        await world.wait('the unplugging', () => world.facts.at(-1)?.devices?.[SERIAL] === 2);
      });

      it('removes images that nobody needs, and never one that a cached pod needs', async () => {
        await restartAgent(CALM);
        const registry = world.engine.spawnInside([
          process.execPath,
          '--import',
          import.meta.resolve('tsx'),
          REGISTRY,
          String(PORT),
          '200000',
        ]);
        const { stdout } = registry;
        if (stdout === null) throw new Error('registry has no output');
        await new Promise((resolve) => createInterface({ input: stdout }).once('line', resolve));
        const image = (name: string): string => `127.0.0.1:${PORT}/${name}:1`;
        for (const name of ['unused', 'cached']) await world.engine.docker('pull', image(name));
        // It waits for a device that never comes: the node holds the pod, and no container holds its image.
        const waits = limited(
          { limits: { [SERIAL]: '1' } },
          { image: image('cached'), imagePullPolicy: 'Never' },
        );
        const wrong = container({ image: image('wrong-place') });
        world.desire({
          pods: [desiredPod('waits', { containers: [waits] }), desiredPod('wrong', { containers: [wrong] })],
        });
        await world.wait('the refusal', () => waiting('wrong')?.reason === 'ErrImagePlatform');
        assert.is(
          waiting('wrong')?.message,
          `image "${image('wrong-place')}" is for linux/s390x, but this node is linux/amd64`,
        );
        const names = (): string[] => (world.facts.at(-1)?.images ?? []).flatMap(([all]) => all);
        await world.wait('the images in the facts', () => names().includes(image('wrong-place')));
        const fact = world.facts.at(-1)?.images?.find(([all]) => all.includes(image('wrong-place')));
        assert.is(fact?.[2], 's390x');
        await restartAgent(`${FULL}devices:\n  - name: ${SERIAL}\n    paths: ["/dev/nothing-here"]\n`);
        const present = async (): Promise<string[]> =>
          (await world.engine.docker('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n');
        await world.wait('the collection', async () => !(await present()).includes(image('unused')));
        await world.wait('its account', () => world.events.some((e) => e.reason === 'FreeDiskSpaceFailed'));
        const left = await present();
        for (const kept of [image('cached'), image('wrong-place'), 'busybox:latest', 'busybox:2'])
          assert.ok(left.includes(kept), `${kept} of ${left.join(' ')}`);
        await world.wait(
          'the facts to follow',
          () => names().length > 0 && !names().includes(image('unused')),
        );
        registry.kill('SIGKILL');
      });
    },
    {
      caseTimeoutMs: 90_000,
      before: async () => {
        world = await AgentWorld.withoutAgent();
      },
      after: () => world.stop(),
    },
  );
}
