/** The real kubectl on streams: logs, exec, attach, cp. The device runs commands as local processes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { eventually, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod, waitingPod } from './worlds.ts';

let hub: TestHub;

spec(
  'kubectl on streams',
  (it) => {
    it('reads logs, the end of them, and of a named container', async () => {
      hub.device.logText = 'one\ntwo\nthree\n';
      assert.is((await hub.kubectl('logs', 'solo')).out, 'one\ntwo\nthree\n');
      assert.is((await hub.kubectl('logs', 'solo', '--tail=1')).out, 'three\n');
      assert.is((await hub.kubectl('logs', 'duo', '-c', 'b', '--timestamps', '--since=10s')).code, 0);
      const [request] = hub.device.requests.slice(-1);
      assert.is(request?.container, 'b');
      assert.is(request?.log?.timestamps, true);
      assert.ok(Math.abs((request?.log?.sinceMs ?? 0) - (Date.now() - 10_000)) < 8_000);
    });

    it('follows logs until the container ends', async () => {
      hub.device.logText = 'start\n';
      const following = hub.kubectl('logs', '-f', 'solo');
      await eventually('the log is followed', () => hub.device.live === 1);
      await hub.device.say('more\n');
      hub.device.endLogs();
      const { out, code } = await following;
      assert.is(out, 'start\nmore\n');
      assert.is(code, 0);
    });

    it('shows a follower whose link is cut that the log is not complete', async () => {
      const following = hub.kubectl('logs', '-f', 'solo');
      await eventually('the log is followed', () => hub.device.live === 1);
      await hub.device.say('half');
      hub.device.endLogs({ reason: 'ServiceUnavailable', message: 'link lost' });
      assert.match((await following).err, /EOF|unexpected|reset/i);
    });

    it('lets go of the device when the reader goes', async () => {
      const following = hub.kubectlWith({ timeoutMs: 3000 }, 'logs', '-f', 'solo');
      await eventually('the log is followed', () => hub.device.live === 1);
      await following;
      await eventually('the stream is closed', () => hub.device.live === 0);
    });

    const refusals = [
      ['previous', ['logs', 'solo', '-p'], 'previous terminated container "main" in pod "solo" not found'],
      [
        'waiting',
        ['logs', 'creating'],
        'container "main" in pod "creating" is waiting to start: ContainerCreating',
      ],
      [
        'image',
        ['logs', 'pulling'],
        'container "main" in pod "pulling" is waiting to start: trying and failing to pull image',
      ],
      ['absent', ['logs', 'nobody'], 'pods "nobody" not found'],
    ] as const;
    for (const [name, args, text] of refusals)
      it(`refuses a log in Kubernetes' words: ${name}`, async () => {
        const { code, err } = await hub.kubectl(...args);
        assert.is(code, 1);
        assert.match(err, text);
      });

    it("refuses an unnamed or unknown container in Kubernetes' words", async () => {
      const path = '/api/v1/namespaces/default/pods/duo/log';
      assert.match(
        (await hub.ask('GET', path)).text,
        'a container name must be specified for pod duo, choose one of: [a b]',
      );
      assert.match(
        (await hub.ask('GET', `${path}?container=zz`)).text,
        'container zz is not valid for pod duo',
      );
      assert.is((await hub.ask('GET', `${path}?container=a&tailLines=-1`)).status, 422);
      assert.is((await hub.ask('GET', `${path}?container=a&tailLines=x`)).status, 400);
    });

    it('runs commands: output, exit code, standard error', async () => {
      assert.is((await hub.kubectl('exec', 'solo', '--', 'echo', 'hi')).out, 'hi\n');
      const failed = await hub.kubectl('exec', 'solo', '--', 'sh', '-c', 'echo oops >&2; exit 42');
      assert.is(failed.code, 42);
      assert.match(failed.err, 'oops');
      const absent = await hub.kubectl('exec', 'solo', '--', 'no-such-command');
      assert.is(absent.code, 1);
      assert.match(absent.err, 'no-such-command');
    });

    it('carries standard input to its end', async () => {
      const input = `${'x'.repeat(300_000)}\n`;
      const { out, code } = await hub.kubectlWith({ input }, 'exec', '-i', 'solo', '--', 'cat');
      assert.is(code, 0);
      assert.is(out.length, input.length);
    });

    it('carries much output whole', async () => {
      const { out } = await hub.kubectl('exec', 'solo', '--', 'head', '-c', '20000000', '/dev/zero');
      assert.is(out.length, 20_000_000);
    });

    it('copies files in and out', async () => {
      mkdirSync(join(hub.dir, 'inside'), { recursive: true });
      writeFileSync(join(hub.dir, 'sent.txt'), 'cargo');
      const sent = await hub.kubectl('cp', 'sent.txt', 'solo:inside/got.txt');
      assert.is(sent.code, 0, sent.err);
      assert.is(readFileSync(join(hub.dir, 'inside/got.txt'), 'utf8'), 'cargo');
      const back = await hub.kubectl('cp', 'solo:inside/got.txt', 'back.txt');
      assert.is(back.code, 0, back.err);
      assert.is(readFileSync(join(hub.dir, 'back.txt'), 'utf8'), 'cargo');
    });

    it('speaks SPDY with a kubectl that knows nothing else', async () => {
      const spdy = (...args: string[]): ReturnType<TestHub['run']> =>
        hub.run('env', 'KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false', 'kubectl', ...args);
      assert.is((await spdy('exec', 'solo', '--', 'echo', 'hi')).out, 'hi\n');
      const failed = await spdy('exec', 'solo', '--', 'sh', '-c', 'echo oops >&2; exit 42');
      assert.is(failed.code, 42);
      assert.match(failed.err, 'oops');
      const input = 'head -c 3000000 /dev/zero | KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false kubectl';
      const piped = await hub.run('sh', '-c', `${input} exec -i solo -- cat | wc -c`);
      assert.is(piped.out.trim(), '3000000', piped.err);
      writeFileSync(join(hub.dir, 'spdy.txt'), 'freight');
      mkdirSync(join(hub.dir, 'inside'), { recursive: true });
      assert.is((await spdy('cp', 'spdy.txt', 'solo:inside/spdy.txt')).code, 0);
      assert.is((await spdy('cp', 'solo:inside/spdy.txt', 'returned.txt')).code, 0);
      assert.is(readFileSync(join(hub.dir, 'returned.txt'), 'utf8'), 'freight');
      const attached = await hub.run(
        'sh',
        '-c',
        `echo typed | KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false kubectl attach -i solo`,
      );
      assert.match(attached.out, 'typed');
    });

    it('attaches', async () => {
      const { out } = await hub.kubectlWith({ input: 'typed\n' }, 'attach', '-i', 'solo');
      assert.match(out, 'typed');
    });

    it('says that the node is away', async () => {
      hub.device.connected = false;
      const exec = await hub.kubectl('exec', 'solo', '--', 'true');
      const logs = await hub.kubectl('logs', 'solo');
      hub.device.connected = true;
      assert.is(exec.code, 1);
      assert.match(exec.err, 'node worker-1 is not connected');
      assert.match(logs.err, 'node worker-1 is not connected');
    });

    it('refuses exec without a WebSocket, a command, or a pod that is placed', async () => {
      const path = '/api/v1/namespaces/default/pods/solo/exec';
      assert.match((await hub.ask('GET', `${path}?command=true&stdout=1`)).text, 'Upgrade request required');
      assert.match((await hub.ask('GET', `${path}?stdout=1`)).text, 'you must specify at least one command');
      const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };
      const spdy = await hub.ask('POST', `${path}?command=true&stdout=1`, { headers });
      assert.is(spdy.status, 403);
      assert.match(spdy.text, 'unable to negotiate protocol');
      assert.is((await hub.ask('GET', path.replace('solo', 'nobody'))).status, 404);
    });

    it('leaves no stream open', async () => {
      await eventually('all streams are closed', () => hub.device.live === 0);
      assert.equal(hub.complaints, []);
    });

    it('ends commands that run when the server stops', async () => {
      const running = hub.kubectl('exec', 'solo', '--', 'sleep', '60');
      await eventually('it runs', () => hub.device.live === 1);
      const startMs = Date.now();
      await hub.server.stop();
      assert.ok(Date.now() - startMs < 4000);
      assert.is.not((await running).code, 0);
      await eventually('the device is told', () => hub.device.live === 0);
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('solo', 'worker-1'));
      await hub.put(runningPod('duo', 'worker-1', ['a', 'b']));
      await hub.put(waitingPod('creating', 'worker-1', 'ContainerCreating'));
      await hub.put(waitingPod('pulling', 'worker-1', 'ImagePullBackOff'));
    },
    after: () => hub.stop(),
  },
);
