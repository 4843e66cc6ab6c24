import * as assert from 'uvu/assert';
import { container, desiredPod } from '../build/pod.ts';
import { spec } from '../spec.ts';
import { AgentWorld } from './agent-world.ts';
import { canRunEngine } from './private-engine.ts';

const WEB = ['sh', '-c', 'mkdir -p /www && echo page >/www/index.html && exec httpd -f -p 8080 -h /www'];

if (canRunEngine()) {
  let world: AgentWorld;
  const exec = (pod: string, command: string, name = 'main'): Promise<string> =>
    world.containerId(pod, name).then((id) => world.engine.docker('exec', id, 'sh', '-c', command));

  spec(
    'agent runs what pods ask for',
    (it) => {
      it('shares localhost and an emptyDir among the containers of a pod', async () => {
        const volumes = [{ name: 'shared', emptyDir: {} }];
        const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
        const web = container({ name: 'main', command: WEB, volumeMounts });
        const side = container({ name: 'side', volumeMounts });
        world.desire({ pods: [desiredPod('pair', { containers: [web, side], volumes })] });
        await world.waitReady('pair');
        await world.wait('page over localhost', async () =>
          exec('pair', 'timeout 2 wget -q -O - http://127.0.0.1:8080/', 'side').then(
            (t) => t === 'page',
            () => false,
          ),
        );
        await exec('pair', 'echo hello >/shared/word');
        assert.is(await exec('pair', 'cat /shared/word', 'side'), 'hello');
        assert.is(await exec('pair', 'hostname', 'side'), 'pair');
      });

      it('runs init containers in order, before the others', async () => {
        const volumes = [{ name: 'log', emptyDir: { medium: 'Memory' as const, sizeLimit: '4Mi' } }];
        const volumeMounts = [{ name: 'log', mountPath: '/log' }];
        const step = (name: string) =>
          container({ name, command: ['sh', '-c', `sleep 0.2; echo ${name} >>/log/order`], volumeMounts });
        world.desire({
          pods: [
            desiredPod('steps', {
              volumes,
              initContainers: [step('first'), step('second')],
              containers: [
                container({ command: ['sh', '-c', 'echo main >>/log/order; sleep 1000'], volumeMounts }),
              ],
            }),
          ],
        });
        await world.waitReady('steps');
        assert.is(await exec('steps', 'cat /log/order'), 'first\nsecond\nmain');
        const inits = world.status('steps')?.initContainerStatuses?.map((s) => s.state?.terminated?.reason);
        assert.equal(inits, ['Completed', 'Completed']);
        assert.match(await exec('steps', 'grep " /log " /proc/mounts'), /tmpfs .*size=4096k/);
      });

      it('gives ConfigMaps and Secrets as environment and files, and refreshes the files', async () => {
        const pod = desiredPod('config', {
          volumes: [
            { name: 'settings', configMap: { name: 'settings' } },
            { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
          ],
          containers: [
            container({
              env: [
                { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
                { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } },
                { name: 'WHERE', value: '$(COLOR)-$(NODE)' },
                { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
                { name: 'BOTH', value: '$(COLOR)-$(NODE)' },
              ],
              volumeMounts: [
                { name: 'settings', mountPath: '/settings' },
                { name: 'keys', mountPath: '/keys', readOnly: true },
              ],
            }),
          ],
        });
        const secrets = { 'default/keys': { token: Buffer.from('s3cret').toString('base64') } };
        world.desire({ pods: [pod], secrets });
        await world.wait('FailedMount', () => world.eventReasons('config').includes('FailedMount'));
        world.desire({ pods: [pod], secrets, configMaps: { 'default/settings': { color: 'blue' } } });
        await world.waitReady('config');
        assert.is(
          await exec('config', 'echo $COLOR $TOKEN $WHERE $BOTH'),
          'blue s3cret blue-$(NODE) blue-worker-1',
        );
        assert.is(await exec('config', 'cat /settings/color /keys/token'), 'blues3cret');
        assert.is(await exec('config', 'stat -L -c %a /keys/token'), '400');
        const id = await world.containerId('config');
        world.desire({
          pods: [pod],
          secrets,
          configMaps: { 'default/settings': { color: 'green', more: 'x' } },
        });
        await world.wait(
          'new content',
          async () => (await exec('config', 'cat /settings/color')) === 'green',
        );
        assert.is(await exec('config', 'cat /settings/more'), 'x');
        assert.is(await world.containerId('config'), id, 'the container goes on');
        const onDisk = await world.engine
          .inside('grep', '-rl', 's3cret', `${world.engine.folder}/agent`)
          .catch(() => '');
        assert.is(onDisk, '', 'no secret on the disk');
      });

      it('publishes host ports', async () => {
        const ports = [{ containerPort: 8080, hostPort: 18080 }];
        world.desire({ pods: [desiredPod('web', { containers: [container({ command: WEB, ports })] })] });
        await world.waitReady('web');
        await world.wait('page on the node', async () =>
          world.engine
            .inside('busybox', 'timeout', '2', 'busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:18080/')
            .then(
              (text) => text === 'page',
              () => false,
            ),
        );
      });

      it('is ready only when the readiness probe says so, and restarts what fails its liveness probe', async () => {
        const readinessProbe = { exec: { command: ['test', '-e', '/tmp/ready'] }, periodSeconds: 1 };
        const livenessProbe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, failureThreshold: 2 };
        const main = container({ command: WEB, readinessProbe, livenessProbe });
        world.desire({ pods: [desiredPod('probed', { containers: [main] })] });
        await world.wait('running', () => world.status('probed')?.phase === 'Running');
        assert.not(world.isReady('probed'));
        await exec('probed', 'touch /tmp/ready');
        await world.waitReady('probed');
        await exec('probed', 'rm /tmp/ready');
        await world.wait('not ready', () => !world.isReady('probed'));
        assert.is(world.restarts('probed'), 0);
        await exec('probed', 'kill -STOP $(pidof httpd); rm -f /www/index.html; kill -CONT 1; true').catch(
          () => '',
        );
        await world.wait('restart', () => world.restarts('probed') === 1);
        await world.told('probed', 'Unhealthy');
        await world.told('probed', 'Killing');
      });

      it('holds the other probes back until the startup probe has succeeded', async () => {
        const main = container({
          startupProbe: {
            exec: { command: ['test', '-e', '/tmp/up'] },
            periodSeconds: 1,
            failureThreshold: 60,
          },
          livenessProbe: { tcpSocket: { port: 9 }, periodSeconds: 1, failureThreshold: 1 },
        });
        world.desire({ pods: [desiredPod('slow', { containers: [main] })] });
        await world.wait('startup probe failing', () => world.eventReasons('slow').includes('Unhealthy'));
        assert.is(world.restarts('slow'), 0);
        assert.is(world.status('slow')?.containerStatuses?.[0]?.started, false);
        await exec('slow', 'touch /tmp/up');
        await world.wait('liveness in force', () => world.restarts('slow') === 1);
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
