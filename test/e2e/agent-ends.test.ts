import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { container, desiredPod } from '../build/pod.ts';
import { spec } from '../spec.ts';
import { AgentWorld } from './agent-world.ts';
import { canRunEngine } from './private-engine.ts';

const DELETED = { deletionTimestamp: '2026-01-01T00:00:00Z' };

if (canRunEngine()) {
  let world: AgentWorld;
  const left = (pod: string): Promise<string> =>
    world.engine.docker('ps', '-aq', '--filter', `label=coxswain.dev/pod-uid=uid-${pod}`);
  const gone = (pod: string): boolean => world.reports.some((r) => r.name === pod && r.gone === true);

  spec(
    'agent ends pods',
    (it) => {
      it('runs the pre-stop hook, then the signal, and reports the pod gone when nothing is left', async () => {
        const folder = mkdtempSync(join(world.engine.folder, 'out-'));
        const script = 'trap "echo term >>/out/log; exit 0" TERM; while :; do sleep 0.1; done';
        const main = container({
          command: ['sh', '-c', script],
          volumeMounts: [{ name: 'out', mountPath: '/out' }],
          lifecycle: {
            postStart: { exec: { command: ['sh', '-c', 'echo post >>/out/log'] } },
            preStop: { exec: { command: ['sh', '-c', 'echo pre >>/out/log; sleep 0.3'] } },
          },
        });
        const body = {
          containers: [main],
          volumes: [{ name: 'out', hostPath: { path: folder } }],
          terminationGracePeriodSeconds: 20,
        };
        world.desire({ pods: [desiredPod('polite', body)] });
        await world.waitReady('polite');
        const sinceMs = Date.now();
        world.desire({ pods: [desiredPod('polite', body, { ...DELETED, deletionGracePeriodSeconds: 20 })] });
        await world.wait('gone', () => gone('polite'));
        assert.ok(Date.now() - sinceMs < 10_000, 'long before the grace is over');
        assert.is(readFileSync(join(folder, 'log'), 'utf8'), 'post\npre\nterm\n');
        assert.is(await left('polite'), '');
        const last = world.status('polite')?.containerStatuses?.[0]?.state?.terminated;
        assert.is(last?.exitCode, 0);
      });

      it('kills what ignores the signal when the grace is over', async () => {
        world.desire({ pods: [desiredPod('deaf')] });
        await world.waitReady('deaf');
        const sinceMs = Date.now();
        world.desire({ pods: [desiredPod('deaf', {}, { ...DELETED, deletionGracePeriodSeconds: 3 })] });
        await world.wait('gone', () => gone('deaf'));
        const tookMs = Date.now() - sinceMs;
        assert.ok(tookMs >= 2_900 && tookMs < 8_000, `took ${tookMs} ms`);
      });

      it('goes on with a deletion after the agent was killed in the middle', async () => {
        world.desire({ pods: [desiredPod('halfway')] });
        await world.waitReady('halfway');
        world.desire({ pods: [desiredPod('halfway', {}, { ...DELETED, deletionGracePeriodSeconds: 3 })] });
        await world.wait('stopping', () => world.eventReasons('halfway').includes('Killing'));
        await world.killAgent();
        world.startAgent();
        await world.wait('gone', () => gone('halfway'));
        assert.is(await left('halfway'), '');
      });

      it('backs off from a container that ends again and again', async () => {
        const main = container({ command: ['sh', '-c', 'exit 3'] });
        world.desire({ pods: [desiredPod('crash', { containers: [main] })] });
        const waiting = (): string | undefined =>
          world.status('crash')?.containerStatuses?.[0]?.state?.waiting?.reason;
        await world.wait('back-off', () => waiting() === 'CrashLoopBackOff');
        assert.is(world.restarts('crash'), 1, 'the first restart is immediate');
        assert.is(world.status('crash')?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 3);
        assert.is(world.status('crash')?.phase, 'Running');
        await world.told('crash', 'BackOff');
        await world.wait('second restart', () => world.restarts('crash') === 2);
      });

      it('ends pods that need not run again, and keeps their result over an agent restart', async () => {
        const job = (name: string, code: number) =>
          desiredPod(name, {
            restartPolicy: 'Never',
            containers: [
              container({
                command: ['sh', '-c', `echo words >/dev/termination-log; exit ${code}`],
                terminationMessagePolicy: 'FallbackToLogsOnError',
              }),
            ],
          });
        world.desire({ pods: [job('good', 0), job('bad', 4)] });
        await world.wait('both ended', () => {
          return world.status('good')?.phase === 'Succeeded' && world.status('bad')?.phase === 'Failed';
        });
        const state = () => world.status('bad')?.containerStatuses?.[0]?.state?.terminated;
        assert.is(state()?.reason, 'Error');
        await world.wait('its last words', () => /words/.test(state()?.message ?? ''));
        await world.killAgent();
        const told = world.reports.length;
        world.startAgent();
        await world.wait('told again', () => world.reports.length >= told + 2);
        assert.is(world.status('good')?.phase, 'Succeeded');
        assert.is(world.status('bad')?.phase, 'Failed');
      });

      it('tells when a container used up its memory', async () => {
        const main = container({
          command: ['sh', '-c', 'sleep 0.5; exec tail /dev/zero'],
          resources: { limits: { memory: '16Mi' } },
        });
        world.desire({ pods: [desiredPod('hungry', { containers: [main], restartPolicy: 'Never' })] });
        await world.wait('out of memory', () => world.status('hungry')?.phase === 'Failed');
        assert.is(world.status('hungry')?.containerStatuses?.[0]?.state?.terminated?.reason, 'OOMKilled');
      });

      it('fails a pod at its deadline', async () => {
        world.desire({ pods: [desiredPod('late', { activeDeadlineSeconds: 2 })] });
        await world.wait('failed', () => world.status('late')?.phase === 'Failed');
        assert.is(world.status('late')?.reason, 'DeadlineExceeded');
      });

      it('shows why a container cannot be made or started, and pulls fail with a reason', async () => {
        const env = [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'none', key: 'x' } } }];
        world.desire({
          pods: [
            desiredPod('noconfig', { containers: [container({ env })] }),
            desiredPod('noprogram', { containers: [container({ command: ['/no/such'] })] }),
            desiredPod('noimage', { containers: [container({ image: '127.0.0.1:9/none:1' })] }),
            desiredPod('neverpull', {
              containers: [container({ image: 'none:1', imagePullPolicy: 'Never' })],
            }),
          ],
        });
        const reason = (pod: string): string | undefined =>
          world.status(pod)?.containerStatuses?.[0]?.state?.waiting?.reason;
        await world.wait(
          'CreateContainerConfigError',
          () => reason('noconfig') === 'CreateContainerConfigError',
        );
        await world.wait('RunContainerError', () => reason('noprogram') === 'RunContainerError');
        await world.wait('ImagePullBackOff', () => reason('noimage') === 'ImagePullBackOff');
        await world.wait('ErrImageNeverPull', () => reason('neverpull') === 'ErrImageNeverPull');
        world.desire({
          pods: [desiredPod('noconfig', { containers: [container({ env })] })],
          configMaps: { 'default/none': { x: '1' } },
        });
        await world.waitReady('noconfig');
      });

      it('hands devices of the node on, and holds a container to its security settings', async () => {
        const main = container({
          command: ['sh', '-c', 'sleep 1000'],
          volumeMounts: [{ name: 'null', mountPath: '/dev/mynull' }],
          securityContext: {
            runAsUser: 65534,
            runAsGroup: 65534,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
        });
        const volumes = [{ name: 'null', hostPath: { path: '/dev/null', type: 'CharDevice' } }];
        world.desire({ pods: [desiredPod('device', { containers: [main], volumes })] });
        await world.waitReady('device');
        const id = await world.containerId('device');
        const text = await world.engine.docker(
          ...['exec', id, 'sh', '-c'],
          'test -c /dev/mynull && echo x >/dev/mynull && echo written; id -u; touch /x 2>/dev/null || echo readonly',
        );
        assert.is(text, 'written\n65534\nreadonly');
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
