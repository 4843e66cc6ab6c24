/** Proves the lab's hosts themselves, without hub and agents: what the other end-to-end tests stand on. */
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { eventually, type Lab, runCommand, startLab } from './lab.ts';

let lab: Lab;

const NODES = ['worker-1', 'worker-2', 'worker-3'];

/** Busy share of the board's CPU between two readings of the host's own /proc/stat. */
async function busyRatio(node: string): Promise<number> {
  const read = async (): Promise<number[]> => {
    const first = (await lab.exec(node, 'head', '-1', '/proc/stat')).trim();
    return first.split(/\s+/).slice(1).map(Number);
  };
  const before = await read();
  const beganMs = performance.now();
  const after = await eventually(async () => performance.now() - beganMs > 2_000 && (await read()), {
    withinMs: 4_000,
  });
  const spent = after.map((ticks, i) => ticks - (before[i] ?? 0));
  const idle = spent[3] ?? 0;
  return 1 - idle / spent.reduce((a, b) => a + b, 0);
}

async function address(node: string): Promise<string> {
  const line = (await lab.run('status')).split('\n').find((text) => text.startsWith(`${node} `));
  return line?.split(/\s+/)[2] ?? '';
}

/** A tiny web server in the host, outside containers. */
async function serve(node: string): Promise<string> {
  const ip = await address(node);
  await lab.exec(
    node,
    'sh',
    '-c',
    'mkdir -p /run/www; hostname >/run/www/index.html; busybox httpd -p 9000 -h /run/www',
  );
  return `http://${ip}:9000/`;
}

function fetchFrom(node: string, url: string): Promise<string> {
  return lab.exec(node, 'curl', '-s', '-f', '-m', '1', url);
}

async function fails(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}

/** Everything on this machine that still carries the lab's name. */
async function traces(): Promise<string[]> {
  const found: string[] = [];
  const mine = `cox.${lab.name}`;
  if (existsSync('/run/netns'))
    found.push(...readdirSync('/run/netns').filter((ns) => ns.startsWith(`${mine}.`)));
  found.push(
    ...(await runCommand('losetup', ['-a'])).split('\n').filter((line) => line.includes(`/${lab.name}/`)),
  );
  found.push(
    ...(await runCommand('find', ['/sys/fs/cgroup', '-name', mine]))
      .split('\n')
      .filter((line) => line !== ''),
  );
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const about = ['mounts', 'cgroup', 'cmdline']
        .map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8'))
        .join('\n');
      if (about.includes(`/labs/${lab.name}/`) || about.includes(`/${mine}/`)) found.push(`process ${pid}`);
    } catch (error) {
      // a process that ended while we looked leaves no trace; anything else is a fault of the test
      if (!['ENOENT', 'ESRCH', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return found;
}

spec(
  'lab hosts',
  (it) => {
    it('are three, each with its own name, address, engine and process table', async () => {
      const seen = await Promise.all(
        NODES.map(async (node) => ({
          name: (await lab.exec(node, 'hostname')).trim(),
          address: await address(node),
          engine: (await lab.docker(node, 'info', '--format', '{{.ID}}')).trim(),
          pids: (await lab.exec(node, 'sh', '-c', 'ls -d /proc/[0-9]*')).trim().split('\n').length,
        })),
      );
      assert.equal(
        seen.map((host) => host.name),
        NODES,
      );
      assert.is(new Set(seen.map((host) => host.address)).size, 3);
      assert.is(new Set(seen.map((host) => host.engine)).size, 3);
      assert.ok(seen.every((host) => host.pids < 30));
    });

    it('have both sample images, which differ and resolve names through libc', async () => {
      for (const node of NODES) {
        const version = (tag: string): Promise<string> =>
          lab.docker(node, 'run', '--rm', `busybox:${tag}`, 'cat', '/version');
        assert.is(await version('latest'), '1\n');
        assert.is(await version('2'), '2\n');
      }
      const applets = ['sh', 'httpd', 'wget', 'nc', 'nslookup', 'tar', 'stat', 'sha256sum'];
      const found = await lab.docker(
        'worker-1',
        'run',
        '--rm',
        'busybox',
        'sh',
        '-c',
        `which ${applets.join(' ')} | wc -l`,
      );
      assert.is(Number(found), applets.length);
      const named = await lab
        .docker(
          'worker-1',
          'run',
          '--rm',
          '--add-host',
          'web.test:192.0.2.7',
          'busybox',
          'ping',
          '-c',
          '1',
          '-W',
          '1',
          'web.test',
        )
        .catch((e: unknown) => String(e));
      assert.match(named, /192\.0\.2\.7/);
    });

    it('reach one another and nothing outside', async () => {
      const url = await serve('worker-2');
      assert.is((await fetchFrom('worker-1', url)).trim(), 'worker-2');
      assert.is((await runCommand('curl', ['-s', '-m', '2', url])).trim(), 'worker-2');
      assert.ok(await fails(lab.exec('worker-1', 'curl', '-s', '-m', '1', 'http://192.0.2.1/')));
    });

    it('lose the link when cut, with a sign, and have it again when healed', async () => {
      const url = await serve('worker-3');
      await lab.run('cut', 'worker-3');
      assert.is((await lab.exec('worker-3', 'cat', '/sys/class/net/eth0/carrier')).trim(), '0');
      assert.ok(await fails(fetchFrom('worker-1', url)));
      await lab.run('heal', 'worker-3');
      await lab.eventually(() => fetchFrom('worker-1', url), { withinMs: 5_000 });
    });

    it('lose the link without a sign when blackholed', async () => {
      const url = `http://${await address('worker-3')}:9000/`;
      await lab.run('blackhole', 'worker-3');
      assert.is((await lab.exec('worker-3', 'cat', '/sys/class/net/eth0/carrier')).trim(), '1');
      assert.ok(await fails(fetchFrom('worker-1', url)));
      await lab.run('unblackhole', 'worker-3');
      await lab.eventually(() => fetchFrom('worker-1', url), { withinMs: 5_000 });
    });

    it('keep what was synced over a power cut, lose memory, processes and what was not synced', async () => {
      const bootId = await lab.exec('worker-1', 'cat', '/proc/sys/kernel/random/boot_id');
      await lab.docker('worker-1', 'run', '-d', '--name', 'kept', 'busybox', 'sleep', '1000');
      await lab.exec(
        'worker-1',
        'sh',
        '-c',
        'echo kept >/var/lib/coxswain/synced; echo ram >/run/state; sync',
      );
      // Whatever the kernel writes back by itself meanwhile, it is behind what was written last.
      const count =
        'while :; do i=$((i + 1)); echo $i >>/var/lib/coxswain/unsynced; echo $i; sleep 0.01; done';
      let told = '';
      const counter = lab.streamIn('worker-1', 'sh', '-c', count);
      counter.stdout.on('data', (chunk: Buffer) => {
        told += chunk;
      });
      const ended = once(counter, 'close');
      await lab.eventually(() => told !== '', { withinMs: 10_000, everyMs: 10 });
      await lab.run('power-off', 'worker-1');
      await ended;
      assert.ok(await fails(lab.exec('worker-1', 'true')));
      await lab.run('power-on', 'worker-1');
      assert.is(await lab.exec('worker-1', 'cat', '/var/lib/coxswain/synced'), 'kept\n');
      assert.ok(await fails(lab.exec('worker-1', 'cat', '/run/state')));
      const last = Number(told.trim().split('\n').at(-1));
      const kept = await lab.exec('worker-1', 'sh', '-c', 'tail -n 1 /var/lib/coxswain/unsynced || echo 0');
      assert.ok((Number.parseInt(kept, 10) || 0) < last, `${kept} kept of ${last}`);
      assert.is(
        (await lab.docker('worker-1', 'inspect', '-f', '{{.State.Running}}', 'kept')).trim(),
        'false',
      );
      assert.is.not(await lab.exec('worker-1', 'cat', '/proc/sys/kernel/random/boot_id'), bootId);
    });

    it('stay cut over a power cycle', async () => {
      await lab.run('cut', 'worker-1');
      await lab.run('power-off', 'worker-1');
      await lab.run('power-on', 'worker-1');
      assert.is((await lab.exec('worker-1', 'cat', '/sys/class/net/eth0/carrier')).trim(), '0');
      await lab.run('heal', 'worker-1');
    });

    it("show a load from outside in their own /proc/stat, and in nobody else's", async () => {
      await lab.run('load', 'worker-2', '80', '30');
      await lab.eventually(async () => Math.abs((await busyRatio('worker-2')) - 0.8) < 0.1, {
        withinMs: 20_000,
      });
      assert.ok((await busyRatio('worker-3')) < 0.3);
      await lab.run('load', 'worker-2', '0', '0');
      await lab.eventually(async () => (await busyRatio('worker-2')) < 0.3, { withinMs: 20_000 });
    });

    it("show the board's memory, not the machine's", async () => {
      assert.match(await lab.exec('worker-1', 'cat', '/proc/meminfo'), /^MemTotal: +2097152 kB$/m);
      assert.is(
        (await lab.docker('worker-1', 'info', '--format', '{{.MemTotal}}')).trim(),
        String(2 * 1024 ** 3),
      );
    });

    it('outlive the death of their engine, and get it back', async () => {
      const before = (await lab.pids('worker-2'))['dockerd'];
      await lab.run('dockerd', 'kill', 'worker-2');
      assert.is((await lab.pids('worker-2'))['dockerd'], undefined);
      await lab.run('dockerd', 'start', 'worker-2');
      assert.is.not((await lab.pids('worker-2'))['dockerd'], before);
      assert.is((await lab.docker('worker-2', 'run', '--rm', 'busybox', 'echo', 'back')).trim(), 'back');
    });

    it('write to no folder of the machine', async () => {
      await lab.exec('worker-1', 'sh', '-c', 'echo x >/srv/cox-lab-probe; echo x >/etc/cox-lab-probe');
      assert.not.ok(existsSync('/srv/cox-lab-probe') || existsSync('/etc/cox-lab-probe'));
    });

    it('come up again after a broken run, and leave nothing behind', async () => {
      process.kill((await lab.pids('worker-1'))['init'] ?? 0, 'SIGKILL');
      await lab.run('up', '--workers', '3');
      assert.is((await lab.docker('worker-1', 'run', '--rm', 'busybox', 'echo', 'again')).trim(), 'again');
      await lab.run('down');
      await eventually(
        async () => (await traces()).length === 0 || Promise.reject(new Error((await traces()).join(', '))),
        { withinMs: 5_000 },
      );
    });
  },
  {
    caseTimeoutMs: 90_000,
    before: async () => {
      lab = await startLab({ workers: 3, name: 'hosts', bare: true });
    },
    after: async () => {
      await lab.stop();
    },
  },
);
