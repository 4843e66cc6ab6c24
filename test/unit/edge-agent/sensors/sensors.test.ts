import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { chooseProfile } from '../../../../edge-agent/decide/profile.ts';
import { scanDevices } from '../../../../edge-agent/sensors/device-scan.ts';
import { DeviceWatch } from '../../../../edge-agent/sensors/device-watch.ts';
import {
  collectFacts,
  hasMemoryCgroup,
  readHealth,
  readPressure,
} from '../../../../edge-agent/sensors/facts.ts';
import { NodeSampler } from '../../../../edge-agent/sensors/node-sampler.ts';
import { readPlatform } from '../../../../edge-agent/sensors/platform.ts';
import { findCgroup, PodUsageSampler } from '../../../../edge-agent/sensors/pod-usage.ts';
import { loadProfiles } from '../../../../edge-agent/sensors/profile-files.ts';
import { Telemeter } from '../../../../edge-agent/sensors/telemeter.ts';
import { systemClock } from '../../../../kit/clock.ts';
import { silentLogger } from '../../../../kit/logger.ts';
import { until } from '../../../e2e/private-engine.ts';
import { spec } from '../../../spec.ts';
import { fakeBoard, PC_V1, PI4 } from './board.ts';

const ID = 'f'.repeat(64);
const MIB = 1024 ** 2;

spec('NodeSampler', (it) => {
  it('reads a Pi: rates over the window, temperature, throttling of now', () => {
    const board = fakeBoard(PI4);
    const sampler = new NodeSampler(board.files, '/', 0);
    board.put('proc/stat', 'cpu  4805 150 1120 1644350 620 0 180 0 0 0\n');
    board.put(
      'proc/net/dev',
      (PI4['proc/net/dev'] ?? '').replace('5000000', '5010000').replace(' 500 ', ' 900 '),
    );
    const s = sampler.sample(10_000);
    assert.is(s.cpuRatio, 100 / 400);
    assert.is(s.memoryTotalBytes, 3_884_336 * 1024);
    assert.is(s.memoryUsedBytes, (3_884_336 - 3_341_668) * 1024);
    assert.is(s.temperatureCelsius, 48.686);
    assert.is(s.throttled, false, 'bits 16 and 18 are of the past');
    assert.is(s.rxBytesPerSecond, 1000);
    assert.is(s.txBytesPerSecond, 40);
    board.put('sys/devices/platform/soc/soc:firmware/get_throttled', '50005\n');
    assert.is(sampler.sample(20_000).throttled, true);
    board.remove();
  });

  it('takes the zone of the processor, and leaves out what a machine has not', () => {
    const board = fakeBoard(PC_V1);
    const s = new NodeSampler(board.files, '/', 0).sample(1000);
    assert.is(s.temperatureCelsius, 61);
    assert.is('throttled' in s, false);
    board.remove();
  });

  it('survives a machine without any of it', () => {
    const board = fakeBoard({});
    const s = new NodeSampler(board.files, '/nowhere', 0).sample(1000);
    assert.equal([s.cpuRatio, s.memoryTotalBytes, s.diskRatio, s.temperatureCelsius], [0, 0, 0, undefined]);
    board.remove();
  });
});

spec('PodUsageSampler', (it) => {
  const containers = [{ podUid: '12345678-aaaa', name: 'main', id: ID }];

  it('reads cgroup v2, systemd driver: rate and working set', () => {
    const dir = `sys/fs/cgroup/system.slice/docker-${ID}.scope`;
    const board = fakeBoard({
      'sys/fs/cgroup/cgroup.controllers': 'cpu memory pids\n',
      [`${dir}/cgroup.procs`]: '100\n',
      [`${dir}/cpu.stat`]: 'usage_usec 1000000\nuser_usec 5\n',
      [`${dir}/memory.current`]: `${30 * MIB}\n`,
      [`${dir}/memory.stat`]: `anon 5\ninactive_file ${10 * MIB}\n`,
    });
    const sampler = new PodUsageSampler(board.files);
    sampler.sample(containers, 0);
    board.put(`${dir}/cpu.stat`, 'usage_usec 3500000\nuser_usec 5\n');
    assert.equal(sampler.sample(containers, 10_000), {
      '12345678': { cpuMilli: 250, memoryBytes: 20 * MIB },
    });
    board.remove();
  });

  it('reads cgroup v1, split controllers, and adds up containers', () => {
    const second = 'e'.repeat(64);
    const board = fakeBoard({
      ...PC_V1,
      ...Object.fromEntries(
        [ID, second].flatMap((id) => [
          [`sys/fs/cgroup/cpuacct/docker/${id}/cgroup.procs`, '1\n'],
          [`sys/fs/cgroup/cpuacct/docker/${id}/cpuacct.usage`, '1000000000\n'],
          [`sys/fs/cgroup/memory/docker/${id}/memory.usage_in_bytes`, `${8 * MIB}\n`],
          [`sys/fs/cgroup/memory/docker/${id}/memory.stat`, `cache 1\ntotal_inactive_file ${MIB}\n`],
        ]),
      ),
    });
    const both = [...containers, { podUid: '12345678-aaaa', name: 'side', id: second }];
    const sampler = new PodUsageSampler(board.files);
    sampler.sample(both, 0);
    board.put(`sys/fs/cgroup/cpuacct/docker/${ID}/cpuacct.usage`, '2000000000\n');
    const use = sampler.sample(both, 10_000)['12345678'];
    assert.equal([use?.cpuMilli, use?.memoryBytes], [100, 14 * MIB]);
    assert.equal(use?.containers?.['side'], { cpuMilli: 0, memoryBytes: 7 * MIB });
    board.remove();
  });

  it('counts resident memory where the memory cgroup is off', () => {
    const dir = `sys/fs/cgroup/system.slice/docker-${ID}.scope`;
    const board = fakeBoard({
      ...PI4,
      [`${dir}/cgroup.procs`]: '100\n101\n',
      [`${dir}/cpu.stat`]: 'usage_usec 1\n',
      'proc/100/status':
        'Name:\tsh\nVmRSS:\t 900 kB\nRssAnon:\t 200 kB\nRssFile:\t 700 kB\nRssShmem:\t 24 kB\n',
      'proc/101/status': 'RssAnon:\t 800 kB\n',
    });
    const use = new PodUsageSampler(board.files).sample(containers, 0)['12345678'];
    assert.is(use?.memoryBytes, 1024 * 1024);
    board.remove();
  });

  it('finds a container below a parent of its own, and leaves out one that is gone', () => {
    const board = fakeBoard({
      'sys/fs/cgroup/cgroup.controllers': 'cpu memory\n',
      [`sys/fs/cgroup/hosts.slice/worker-1/inner/docker/${ID}/cpu.stat`]: 'usage_usec 1\n',
    });
    assert.is(findCgroup(board.files, ID)?.cpuDir, `sys/fs/cgroup/hosts.slice/worker-1/inner/docker/${ID}`);
    const gone = [{ podUid: 'x', name: 'm', id: 'd'.repeat(64) }];
    assert.equal(new PodUsageSampler(board.files).sample(gone, 0), {});
    board.remove();
  });
});

spec('facts', (it) => {
  it('says precisely what to write where when the memory cgroup is off', () => {
    const board = fakeBoard(PI4);
    assert.is(hasMemoryCgroup(board.files), false);
    const health = readHealth(board.files, true);
    assert.match(health.memoryCgroupAdvice, 'cgroup_enable=memory cgroup_memory=1');
    assert.match(health.memoryCgroupAdvice, '/boot/firmware/cmdline.txt');
    const pressure = readPressure(board.files, '/', 48);
    assert.equal(
      [pressure.pidUsedRatio, pressure.pidLimit, pressure.temperatureCelsius],
      [245 / 28_000, 28_000, 48],
    );
    board.remove();
  });

  it('takes a stall for memory only when it lasts, and only until it is over', () => {
    const stall = (avg10: string, avg60: string): number | undefined => {
      const line = `avg10=${avg10} avg60=${avg60} avg300=0.00 total=1`;
      const board = fakeBoard({ ...PI4, 'proc/pressure/memory': `some ${line}\nfull ${line}\n` });
      const ratio = readPressure(board.files, '/', undefined).memoryStallRatio;
      board.remove();
      return ratio;
    };
    assert.equal(
      [stall('40.00', '5.00'), stall('1.00', '30.00'), stall('30.00', '20.00')],
      [0.05, 0.01, 0.2],
    );
  });

  it('knows a memory cgroup of version 1', () => {
    const board = fakeBoard(PC_V1);
    assert.is(hasMemoryCgroup(board.files), true);
    board.remove();
  });

  it('fills the node of a Pi 4 from its profile and files', async () => {
    const board = fakeBoard(PI4);
    const { files } = await loadProfiles([]);
    const profile = chooseProfile(files, { model: 'Raspberry Pi 4 Model B Rev 1.4', arch: 'arm64' }, []);
    const facts = collectFacts(board.files, {
      nodeName: 'w1',
      profile,
      agentVersion: '1.2.3',
      cpuCount: 4,
      platform: 'linux',
      arch: 'arm64',
      kernelVersion: '6.6',
      engineVersion: '27.0',
      diskPath: '/',
      addresses: [],
      conditions: [],
      devices: {},
      inventory: undefined,
    });
    assert.equal(facts.labels, {
      'kubernetes.io/arch': 'arm64',
      'kubernetes.io/os': 'linux',
      'kubernetes.io/hostname': 'w1',
      'coxswain.dev/profile': 'pi-4',
      'coxswain.dev/board': 'pi-4',
      'coxswain.dev/model': 'Raspberry-Pi-4-Model-B-Rev-1.4',
    });
    assert.is(facts.system.osImage, 'Debian GNU/Linux 12 (bookworm)');
    assert.is(facts.system.systemUUID, '10000000abcdef01');
    assert.is(facts.system.containerRuntimeVersion, 'docker://27.0');
    assert.equal([facts.cpuMilli, facts.maxPods], [4000, 60]);
    board.remove();
  });
});

spec('Telemeter', (it) => {
  it('samples with the first beat, then at its cadence, and is silent without news', () => {
    const board = fakeBoard(PI4);
    const cadence = { sampleMs: 10_000, telemetryKeepAliveMs: 60_000, telemetryMinIntervalMs: 9000 };
    const meter = new Telemeter(
      { files: board.files, diskPath: '/', cadence: () => cadence, containers: () => [] },
      0,
    );
    meter.restart(0);
    const beats = Array.from({ length: 41 }, (_, i) => (i + 1) * 3000);
    const told = beats.filter((ms) => meter.take(ms) !== undefined);
    assert.equal(told, [3000, 63_000, 123_000]);
    board.remove();
  });
});

spec('what a container holds', (it) => {
  it('counts processes and memory of one container, in cgroup v1 and v2', () => {
    const v2 = `sys/fs/cgroup/system.slice/docker-${ID}.scope`;
    const board = fakeBoard({
      'sys/fs/cgroup/cgroup.controllers': 'cpu memory pids\n',
      [`${v2}/cgroup.procs`]: '100\n101\n',
      [`${v2}/cpu.stat`]: 'usage_usec 1\n',
      [`${v2}/memory.current`]: `${30 * MIB}\n`,
      [`${v2}/memory.stat`]: `inactive_file ${10 * MIB}\n`,
      [`${v2}/pids.current`]: '7\n',
    });
    const sampler = new PodUsageSampler(board.files);
    assert.equal([sampler.memoryOf(ID, 0), sampler.processesOf(ID, 0)], [20 * MIB, 7]);
    assert.is(sampler.memoryOf('e'.repeat(64), 0), undefined);
    board.remove();
    const v1 = fakeBoard({
      ...PC_V1,
      [`sys/fs/cgroup/cpuacct/docker/${ID}/cgroup.procs`]: '100\n101\n',
      [`sys/fs/cgroup/cpuacct/docker/${ID}/cpuacct.usage`]: '1\n',
      [`sys/fs/cgroup/memory/docker/${ID}/memory.usage_in_bytes`]: '4096\n',
      [`sys/fs/cgroup/memory/docker/${ID}/memory.stat`]: 'total_inactive_file 0\n',
    });
    const old = new PodUsageSampler(v1.files);
    assert.equal(
      [old.memoryOf(ID, 0), old.processesOf(ID, 0)],
      [4096, 2],
      'without a pids controller: processes',
    );
    v1.put(`sys/fs/cgroup/pids/docker/${ID}/pids.current`, '9\n');
    assert.is(old.processesOf(ID, 0), 9);
    v1.remove();
  });
});

spec('platform', (it) => {
  const machine = (arch: string, kernel: string) => ({ platform: 'linux', arch, machine: kernel });
  it('is that of the kernel, with the emulators it knows', () => {
    const board = fakeBoard({
      'proc/sys/fs/binfmt_misc/status': 'enabled\n',
      'proc/sys/fs/binfmt_misc/qemu-aarch64': 'enabled\ninterpreter /usr/bin/qemu-aarch64\n',
      'proc/sys/fs/binfmt_misc/qemu-s390x': 'disabled\n',
    });
    const pc = readPlatform(board.files, machine('x64', 'x86_64'));
    assert.equal([pc.architecture, [...pc.emulated]], ['amd64', ['arm64']]);
    board.remove();
    const bare = fakeBoard({});
    assert.equal(readPlatform(bare.files, machine('arm', 'armv6l')).variant, 'v6');
    assert.equal(readPlatform(bare.files, machine('arm', 'aarch64')).architecture, 'arm64');
    bare.remove();
  });
});

spec('device scan', (it) => {
  it('finds nothing in folders that are not there, and takes no plain file for a device', () => {
    const board = fakeBoard({ 'dev/serial/by-id/usb-1': 'no device' });
    const config = (path: string) => [{ name: 'x.dev/a', paths: [path], count: 1 }];
    assert.equal(scanDevices(config('/nowhere/by-id/*')), []);
    assert.equal(scanDevices(config(`${board.path('dev/serial/by-id')}/*`)), []);
    board.remove();
  });

  it('follows links to the node, one unit a share', () => {
    const board = fakeBoard({ 'dev/x': '' });
    symlinkSync('/dev/zero', board.path('dev/by-id'));
    const [first, second] = scanDevices([
      { name: 'x.dev/a', paths: [[board.path('dev/by-id'), '/dev/null']], count: 2, env: 'A' },
    ]);
    assert.equal(
      first?.nodes.map((n) => [n.target, n.source]),
      [
        [board.path('dev/by-id'), '/dev/zero'],
        ['/dev/null', '/dev/null'],
      ],
    );
    assert.equal([first?.env, second?.key], ['A', `x.dev/a=${board.path('dev/by-id')}#2`]);
    const half = scanDevices([{ name: 'x.dev/a', paths: [['/dev/null', '/dev/nothing']], count: 1 }]);
    assert.equal(half, [], 'a device of several nodes needs them all');
    board.remove();
  });
});

spec('DeviceWatch', (it) => {
  it('hears of devices that come and go, also when their folder does', async () => {
    const board = fakeBoard({ 'dev/x': '' });
    const folder = board.path('dev/serial/by-id');
    let changes = 0;
    const watch = new DeviceWatch({
      configs: [{ name: 'x.dev/a', paths: [`${folder}/*`], count: 1 }],
      clock: systemClock,
      log: silentLogger,
      onChange: () => {
        changes++;
      },
    });
    watch.start();
    for (const round of [1, 2]) {
      mkdirSync(folder, { recursive: true });
      symlinkSync('/dev/zero', join(folder, 'usb-1'));
      await until('the device', () => watch.units.length === 1, 5_000);
      rmSync(board.path('dev/serial'), { recursive: true });
      await until('its end', () => watch.units.length === 0, 5_000);
      assert.is(changes, 2 * round);
    }
    watch.stop();
    board.remove();
  });
});
