import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import * as assert from 'uvu/assert';
import { writeLabels } from '../../../../edge-agent/decide/container.ts';
import { containerConfig } from '../../../../edge-agent/decide/container-config.ts';
import { demux } from '../../../../edge-agent/runtime/demux.ts';
import { type Operation, toRuntimeError } from '../../../../edge-agent/runtime/docker-errors.ts';
import { dockerCreate } from '../../../../edge-agent/runtime/docker-spec.ts';
import { eventOf, placeOf, viewOf } from '../../../../edge-agent/runtime/docker-view.ts';
import { pauseImage, pauseProgram, sandboxArchitecture } from '../../../../edge-agent/runtime/pause-image.ts';
import type { Container } from '../../../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { spec } from '../../../spec.ts';

const answer = (statusCode: number, message: string): Error =>
  Object.assign(new Error(`(HTTP code ${statusCode}) x - ${message}`), { statusCode, json: { message } });
const socket = (code: string): Error => Object.assign(new Error(code), { code });

/** What the engine is asked for, for a container with these limits. */
function asked(limits: Record<string, string>, log?: { maxBytes: number; maxFiles: number }) {
  const one: Container = container({ resources: { limits } });
  const config = containerConfig(desiredPod('p', { containers: [one] }), one, {
    name: 'c',
    labels: {},
    env: new Map(),
    imageUser: '',
    mounts: [],
    devices: [{ source: '/dev/ttyUSB3', target: '/dev/serial/by-id/usb-1' }],
    podIp: '10.0.0.2',
    memoryLimits: true,
    cpuLimits: true,
    nodeMemoryBytes: 2 ** 30,
    lowestOomScore: -1000,
    pidsLimit: 50,
    ...(log === undefined ? {} : { log }),
  });
  if (!config.ok) throw new Error(config.message);
  return dockerCreate(config.value, 'net').HostConfig ?? {};
}

spec('docker create', (it) => {
  it('sets quotas by period, also above the number of processors and below a hundredth of one', () => {
    const cpu = (text: string) => [asked({ cpu: text }).CpuPeriod, asked({ cpu: text }).CpuQuota];
    assert.equal(
      [cpu('500m'), cpu('64'), cpu('5m')],
      [
        [100_000, 50_000],
        [100_000, 6_400_000],
        [100_000, 1_000],
      ],
    );
    assert.is(asked({ cpu: '1' }).NanoCpus, undefined);
  });

  it('gives no swap, and no less memory than the engine takes', () => {
    const memory = (text: string) => [asked({ memory: text }).Memory, asked({ memory: text }).MemorySwap];
    assert.equal(
      [memory('64Mi'), memory('1Mi')],
      [
        [2 ** 26, 2 ** 26],
        [6 * 2 ** 20, 6 * 2 ** 20],
      ],
    );
    assert.is(asked({}).Memory, undefined);
  });

  it('caps processes and logs, and maps devices without privileges', () => {
    const host = asked({}, { maxBytes: 2 ** 20, maxFiles: 4 });
    assert.is(host.PidsLimit, 50);
    assert.equal(host.LogConfig?.Config, { 'max-size': '1024k', 'max-file': '4' });
    assert.equal(asked({}).LogConfig?.Config, { 'max-size': '10240k', 'max-file': '2' });
    assert.equal(host.Devices, [
      { PathOnHost: '/dev/ttyUSB3', PathInContainer: '/dev/serial/by-id/usb-1', CgroupPermissions: 'rwm' },
    ]);
    assert.is(host.Privileged, false);
  });
});

spec('docker errors', (it) => {
  const cases: readonly (readonly [Error, Operation, string])[] = [
    [socket('ECONNREFUSED'), 'list', 'EngineUnreachable'],
    [socket('ENOENT'), 'start', 'EngineUnreachable'],
    [new Error('socket hang up'), 'start', 'EngineUnreachable'],
    [answer(404, 'No such container: abc'), 'start', 'ContainerNotFound'],
    [answer(404, 'No such image: x:1'), 'create', 'ImageNotFound'],
    [
      answer(409, 'Conflict. The container name "/x" is already in use by container "y"'),
      'create',
      'NameInUse',
    ],
    [answer(400, 'invalid volume specification'), 'create', 'BadSpec'],
    [answer(404, 'network coxswain not found'), 'create', 'NetworkMissing'],
    [
      answer(400, 'OCI runtime create failed: exec: "/x": stat /x: no such file or directory'),
      'start',
      'StartFailed',
    ],
    [answer(500, 'Address already in use'), 'start', 'AddressInUse'],
    [answer(500, 'Bind for 0.0.0.0:80 failed: port is already allocated'), 'start', 'PortInUse'],
    [answer(500, 'listen tcp4 0.0.0.0:80: bind: address already in use'), 'start', 'PortInUse'],
    [answer(500, 'write /x: no space left on device'), 'create', 'DiskFull'],
    [answer(409, 'Container abc is not running'), 'kill', 'ContainerNotFound'],
    [answer(404, 'pull access denied for x, repository does not exist'), 'pull', 'ImageForbidden'],
    [answer(404, 'manifest for x:9 not found: manifest unknown'), 'pull', 'ImageNotFound'],
    [
      answer(500, 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry: no such host'),
      'pull',
      'RegistryUnreachable',
    ],
    [answer(400, 'invalid reference format'), 'pull', 'BadSpec'],
    [answer(500, 'something else'), 'start', 'EngineFailed'],
    [new DOMException('not done within 5 ms', 'TimeoutError'), 'exec', 'TimedOut'],
    [new DOMException('aborted', 'AbortError'), 'exec', 'Aborted'],
  ];
  for (const [error, operation, expected] of cases)
    it(`${operation}: ${error.message.slice(0, 50)} is ${expected}`, () => {
      const result = toRuntimeError(error, operation);
      assert.is(result.reason, expected);
      assert.not(result.message.includes('HTTP code'));
      assert.is(result.cause, error);
    });
});

spec('docker views', (it) => {
  it('never have a container end before it started, as the engine says of one that ends at once', () => {
    const Labels = writeLabels({
      podUid: 'u',
      podName: 'p',
      podNamespace: 'default',
      name: 'main',
      role: 'app',
      attempt: 0,
      specHash: 'h',
      generation: 'g',
      podStartMs: 1,
    });
    const State = {
      Status: 'exited',
      Running: false,
      ExitCode: 3,
      OOMKilled: false,
      StartedAt: '2026-01-01T00:00:00.500Z',
      FinishedAt: '2026-01-01T00:00:00.490Z',
    };
    const info = { Id: 'c', Image: 'sha256:1', Config: { Labels, Image: 'busybox' }, State };
    const view = viewOf(info as unknown as Parameters<typeof viewOf>[0]);
    assert.is(view?.finishedAtMs, view?.startedAtMs);
  });
});

spec('where a container writes', (it) => {
  const place = (info: object) => placeOf(info as unknown as Parameters<typeof placeOf>[0]);
  it('is what the engine tells, which is not always everything', () => {
    const logs = '/var/lib/docker/containers/c/c-json.log';
    const overlay = { Data: { UpperDir: '/o/diff', MergedDir: '/o/merged' }, Name: 'overlay2' };
    assert.equal(place({ GraphDriver: overlay, LogPath: logs, State: { Pid: 7 } }), {
      upperDir: '/o/diff',
      pid: 7,
      logPath: logs,
    });
    assert.equal(place({ GraphDriver: { Data: null, Name: 'vfs' }, LogPath: '', State: { Pid: 0 } }), {});
    assert.equal(place({ State: { Pid: 7 } }), { pid: 7 });
  });
});

spec('docker events', (it) => {
  it('are read with their time and exit code', () => {
    const Attributes = { 'coxswain.dev/pod-uid': 'u', exitCode: '7' };
    const event = eventOf({ Action: 'die', Actor: { ID: 'c', Attributes }, timeNano: 1.5e18 });
    assert.equal(event, { type: 'die', id: 'c', podUid: 'u', atMs: 1.5e12, exitCode: 7 });
  });
  it('of others are skipped', () => assert.is(eventOf({ Action: 'die', Actor: { ID: 'c' } }), undefined));
});

spec('demux', (it) => {
  const frame = (channel: number, content: string): Buffer => {
    const head = Buffer.from([channel, 0, 0, 0, 0, 0, 0, 0]);
    head.writeUInt32BE(Buffer.byteLength(content), 4);
    return Buffer.concat([head, Buffer.from(content)]);
  };
  it('splits stdout from stderr, however the bytes are cut', async () => {
    const bytes = Buffer.concat([frame(1, 'one '), frame(2, 'err'), frame(1, 'two'), frame(1, '')]);
    for (const size of [1, 3, 9, 1000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const { stdout, stderr } = demux(Readable.from(pieces), false);
      assert.equal(await Promise.all([text(stdout), text(stderr)]), ['one two', 'err']);
    }
  });
  it('takes a terminal as it comes', async () => {
    const { stdout } = demux(Readable.from([Buffer.from('raw')]), true);
    assert.is(await text(stdout), 'raw');
  });
});

spec('sandbox image', (it) => {
  for (const [engine, expected] of [
    ['x86_64', 'amd64'],
    ['aarch64', 'arm64'],
    ['armv7l', 'arm'],
    ['riscv64', undefined],
  ] as const)
    it(`knows ${engine}`, () => assert.is(sandboxArchitecture(engine), expected));

  for (const architecture of ['amd64', 'arm64', 'arm'] as const)
    it(`is a small executable for ${architecture}, whose entry lies in its one segment`, () => {
      const program = Buffer.from(pauseProgram(architecture));
      const wide = architecture !== 'arm';
      assert.is(program.toString('latin1', 1, 4), 'ELF');
      const entry = wide ? Number(program.readBigUInt64LE(24)) : program.readUInt32LE(24);
      const base = wide ? Number(program.readBigUInt64LE(64 + 16)) : program.readUInt32LE(52 + 8);
      const size = wide ? Number(program.readBigUInt64LE(64 + 32)) : program.readUInt32LE(52 + 16);
      assert.is(size, program.length);
      assert.is(entry - base, wide ? 120 : 84);
      assert.ok(program.length < 300);
    });

  it('is an archive that tar reads, the same on every call', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cox-pause-'));
    const archive = join(folder, 'image.tar');
    writeFileSync(archive, pauseImage('arm64'));
    const names = execFileSync('tar', ['-tf', archive], { encoding: 'utf8' });
    assert.match(names, /manifest\.json/);
    assert.equal(pauseImage('arm64'), new Uint8Array(readFileSync(archive)));
    rmSync(folder, { recursive: true });
  });

  if (process.arch === 'x64')
    it('runs until it is killed', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'cox-pause-'));
      const path = join(folder, 'pause');
      writeFileSync(path, pauseProgram('amd64'), { mode: 0o755 });
      const child = spawn(path);
      const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
      await new Promise((resolve) => child.once('spawn', resolve));
      child.kill('SIGKILL');
      assert.is(await ended, 'SIGKILL', 'it had not crashed');
      rmSync(folder, { recursive: true });
    });
});
