/** Streams between the real kubectl and containers on a real device: logs, exec, cp, port-forward, proxy, attach, run, debug. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { nodesReady } from './cluster.ts';
import { CommandError, type Lab, runCommand, startLab } from './lab.ts';

const MIB = 1024 * 1024;
const IMAGE = { image: 'busybox:latest', imagePullPolicy: 'IfNotPresent' };

let lab: Lab;
let dir: string;

function pod(name: string, command: readonly string[], container: object = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', ...IMAGE, command, ...container }],
    },
  });
}

async function running(name: string, command: readonly string[], container: object = {}): Promise<void> {
  await lab.apply(pod(name, command, container));
  await lab.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=90s');
}

interface Started {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly ended: Promise<number>;
}

/** A kubectl that goes on running. */
function start(...args: string[]): Started {
  const child = spawn('kubectl', ['--kubeconfig', lab.kubeconfig, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  return { child, out: () => out, err: () => err, ended };
}

const kubectlWith = (stdin: string, ...args: string[]): Promise<string> =>
  runCommand('kubectl', ['--kubeconfig', lab.kubeconfig, ...args], { stdin });

async function failure(attempt: Promise<unknown>): Promise<CommandError> {
  const error = await attempt.catch((e: unknown) => e);
  if (error instanceof CommandError) return error;
  throw new Error('it did not fail');
}

function download(url: string): Promise<{ bytes: number; sha256: string }> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      const hash = createHash('sha256');
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
      });
      response.on('error', reject);
      response.on('end', () => resolve({ bytes, sha256: hash.digest('hex') }));
    }).on('error', reject);
  });
}

const sumOf = (text: string): string => text.trim().split(/\s+/)[0] ?? '';

spec(
  'streams of a device',
  (it) => {
    it('follows a log as it grows', async () => {
      const following = start('logs', '-f', 'box');
      await lab.eventually(() => following.out().split('tick').length > 4, { withinMs: 20_000 });
      following.child.kill('SIGINT');
      await following.ended;
      assert.match(following.out(), /^start\n/);
      assert.is((await lab.kubectl('logs', 'box', '--tail=1')).split('\n').length, 2);
    });

    it('runs commands with standard input, exit codes and a terminal of the right size', async () => {
      const input = randomBytes(300_000).toString('base64');
      assert.is(await kubectlWith(input, 'exec', '-i', 'box', '--', 'cat'), input);
      assert.is(
        (await failure(lab.kubectl('exec', 'box', '--', 'sh', '-c', 'echo no >&2; exit 42'))).code,
        42,
      );
      const command = `stty cols 91 rows 33; kubectl --kubeconfig ${lab.kubeconfig} exec -it box -- sh -c 'sleep 1; stty size'`;
      assert.match(await runCommand('script', ['-qec', command, '/dev/null']), '33 91');
    });

    it('copies files both ways whole', async () => {
      const file = join(dir, 'cargo');
      writeFileSync(file, randomBytes(8 * MIB));
      const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
      await lab.kubectl('cp', file, 'box:/tmp/cargo');
      assert.is(sumOf(await lab.kubectl('exec', 'box', '--', 'sha256sum', '/tmp/cargo')), sum);
      await lab.kubectl('cp', 'box:/tmp/cargo', `${file}.back`);
      assert.is(
        createHash('sha256')
          .update(readFileSync(`${file}.back`))
          .digest('hex'),
        sum,
      );
    });

    it('forwards a port, 50 MB through it, and says when nobody listens', async () => {
      const sum = sumOf(await lab.kubectl('exec', 'web', '--', 'sha256sum', '/srv/big'));
      const forward = start('port-forward', 'pod/web', ':8080');
      const port = await lab.eventually(() => /127\.0\.0\.1:(\d+)/.exec(forward.out())?.[1], {
        withinMs: 20_000,
      });
      const got = await download(`http://127.0.0.1:${port}/big`);
      assert.equal(got, { bytes: 50 * MIB, sha256: sum });
      forward.child.kill('SIGINT');
      await forward.ended;
      const nobody = start('port-forward', 'pod/web', ':9');
      const closed = await lab.eventually(() => /127\.0\.0\.1:(\d+)/.exec(nobody.out())?.[1], {
        withinMs: 20_000,
      });
      await download(`http://127.0.0.1:${closed}/`).catch(() => undefined);
      await lab.eventually(() => nobody.err().includes('ECONNREFUSED'), { withinMs: 10_000 });
      nobody.child.kill('SIGINT');
      await nobody.ended;
    });

    it('answers through the proxy', async () => {
      const path = '/api/v1/namespaces/default/pods/web:8080/proxy';
      assert.is(await lab.kubectl('get', '--raw', `${path}/small`), 'small\n');
      assert.match(
        (await failure(lab.kubectl('get', '--raw', `${path}/none`))).stderr,
        /not find|not found/i,
      );
    });

    it('attaches, and runs a pod for one command', async () => {
      await running('echoer', ['cat'], { stdin: true, stdinOnce: true });
      assert.match(await kubectlWith('typed\n', 'attach', '-i', 'echoer'), 'typed');
      const args = [
        'run',
        'once',
        '-i',
        '--rm',
        '--image=busybox:latest',
        '--image-pull-policy=IfNotPresent',
      ];
      const once = await failure(
        kubectlWith('hello\n', ...args, '--restart=Never', '--', 'sh', '-c', 'cat; exit 3'),
      );
      assert.is(once.code, 3);
      assert.match(once.stdout, 'hello');
      assert.match((await failure(lab.kubectl('get', 'pod', 'once'))).stderr, 'not found');
    });

    it('looks into a pod with an ephemeral container', async () => {
      const command = 'wget -q -O - http://127.0.0.1:8080/small; ps; sleep 1000';
      const args = [
        '--image=busybox:latest',
        '--image-pull-policy=IfNotPresent',
        '--target=main',
        '-c',
        'look',
      ];
      await lab.kubectl('debug', 'web', ...args, '--', 'sh', '-c', command);
      const said = await lab.eventually(
        async () => {
          const text = await lab.kubectl('logs', 'web', '-c', 'look');
          return text.includes('httpd') ? text : false;
        },
        { withinMs: 60_000, everyMs: 500 },
      );
      assert.match(said, /^small\n/, 'it shares the network');
      assert.is(await lab.kubectl('exec', 'web', '-c', 'look', '--', 'echo', 'in'), 'in\n');
      const phase = await lab.kubectl(
        'get',
        'pod',
        'web',
        '-o',
        'jsonpath={.status.containerStatuses[0].restartCount}',
      );
      assert.is(phase, '0', 'the pod was left alone');
    });

    it('keeps the device Ready under a log as fast as it can be read', async () => {
      await running('loud', [
        'sh',
        '-c',
        "while true; do head -c 500000 /dev/zero | tr '\\0' x; echo; sleep 0.1; done",
      ]);
      const reading = start('logs', '-f', 'loud');
      await lab.eventually(() => reading.out().length > 20 * MIB, { withinMs: 60_000, everyMs: 200 });
      await nodesReady(lab, undefined, 1_000);
      const askedMs = performance.now();
      assert.is(await lab.kubectl('exec', 'box', '--', 'echo', 'hi'), 'hi\n');
      assert.ok(performance.now() - askedMs < 10_000, 'another stream gets its turn');
      reading.child.kill('SIGINT');
      await reading.ended;
      await lab.kubectl('delete', 'pod', 'loud', '--wait=false');
    });

    it('ends what runs when the link is cut, with an error', async () => {
      const exec = start('exec', 'box', '--', 'sh', '-c', 'echo begun; sleep 1000');
      const log = start('logs', '-f', 'box');
      await lab.eventually(() => exec.out().includes('begun') && log.out().includes('tick'), {
        withinMs: 20_000,
      });
      const node = await lab.kubectl('get', 'pod', 'box', '-o', 'jsonpath={.spec.nodeName}');
      await lab.run('cut', node);
      assert.is.not(await exec.ended, 0);
      assert.match(exec.err(), /connected|lost|unreachable|silent|gone/i);
      await log.ended;
      await lab.run('heal', node);
      await nodesReady(lab, undefined, 60_000);
      await lab.eventually(
        async () => (await lab.kubectl('exec', 'box', '--', 'echo', 'back')) === 'back\n',
        {
          withinMs: 60_000,
          everyMs: 500,
        },
      );
    });
  },
  {
    caseTimeoutMs: 180_000,
    before: async () => {
      dir = mkdtempSync(join(tmpdir(), 'cox-streams-'));
      lab = await startLab({ workers: 1, name: 'strm' });
      await nodesReady(lab);
      await running('box', ['sh', '-c', 'echo start; while true; do echo tick; sleep 0.2; done']);
      const serve =
        'mkdir -p /srv; echo small > /srv/small; dd if=/dev/urandom of=/srv/big bs=1048576 count=50; exec httpd -f -p 8080 -h /srv';
      await running('web', ['sh', '-c', serve], {
        readinessProbe: { httpGet: { path: '/small', port: 8080 }, periodSeconds: 1 },
      });
    },
    after: async () => {
      await lab?.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  },
);
