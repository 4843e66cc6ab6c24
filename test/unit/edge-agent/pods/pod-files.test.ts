import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { newMemory, withContainer } from '../../../../edge-agent/decide/pod-memory.ts';
import { RuntimeError } from '../../../../edge-agent/decide/runtime-error.ts';
import { writeVolume } from '../../../../edge-agent/pods/atomic-writer.ts';
import { EventRecorder } from '../../../../edge-agent/pods/event-recorder.ts';
import { encodeRequest, grpcHealth, readAnswer } from '../../../../edge-agent/pods/grpc-health.ts';
import { type FetchRequest, Images, registryOf } from '../../../../edge-agent/pods/images.ts';
import { podPaths } from '../../../../edge-agent/pods/pod-files.ts';
import { recordOf, recover, writeEnded, writeRecord } from '../../../../edge-agent/pods/pod-record.ts';
import type { ImageView } from '../../../../edge-agent/pods/ports.ts';
import { registryAuths } from '../../../../edge-agent/pods/registry-auth.ts';
import type { EventReport } from '../../../../protocol/wire/messages.ts';
import { desiredPod } from '../../../build/pod.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

const file = (path: string, content: string, mode = 0o644) => ({ path, content: Buffer.from(content), mode });

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cox-pods-'));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

spec('written volumes', (it) => {
  it('change as a whole, through one link', () =>
    inFolder(async (folder) => {
      await writeVolume(folder, [file('a', '1'), file('d/b', '2', 0o400)], undefined);
      assert.is(readFileSync(join(folder, 'a'), 'utf8'), '1');
      assert.is(statSync(join(folder, 'd/b')).mode & 0o777, 0o400);
      const first = readlinkSync(join(folder, '..data'));
      await writeVolume(folder, [file('a', '3'), file('c', '4')], undefined);
      assert.not.equal(readlinkSync(join(folder, '..data')), first);
      assert.equal(
        readdirSync(folder)
          .filter((name) => !name.startsWith('..'))
          .toSorted(),
        ['a', 'c'],
      );
      assert.is(readFileSync(join(folder, 'a'), 'utf8'), '3');
      assert.is(
        readdirSync(folder).filter((name) => name.startsWith('..')).length,
        2,
        'the old files are gone',
      );
    }));

  it('are not written again when they are right, but are when a power cut tore them', () =>
    inFolder(async (folder) => {
      const files = [file('a', 'content')];
      await writeVolume(folder, files, undefined);
      const before = readlinkSync(join(folder, '..data'));
      await writeVolume(folder, files, undefined);
      assert.is(readlinkSync(join(folder, '..data')), before);
      writeFileSync(join(folder, before, 'a'), '');
      await writeVolume(folder, files, undefined);
      assert.is(readFileSync(join(folder, 'a'), 'utf8'), 'content');
    }));
});

spec('pod record', (it) => {
  it('brings back what an agent before knew, and an end for good', () =>
    inFolder(async (folder) => {
      const paths = podPaths(join(folder, 'data'), join(folder, 'run'), 'uid-1');
      const now = { wallMs: 500_000, monotonicMs: 9_000 };
      const fresh = await recover(paths, now, undefined);
      assert.is(fresh.memory.startAtMs, 500_000);
      const memory = withContainer(newMemory(400_000, 0), 'main', { attempts: 4 });
      await writeRecord(paths, recordOf(memory, { phase: 'Running' }));
      const again = await recover(paths, now, undefined);
      assert.is(again.memory.startAtMs, 400_000);
      assert.is(again.memory.startMs, 9_000 - 100_000);
      assert.is(again.memory.containers['main']?.attempts, 4);
      assert.equal(again.status, { phase: 'Running' });
      await writeEnded(paths, { phase: 'Succeeded' });
      assert.equal((await recover(paths, now, undefined)).memory.ended, { phase: 'Succeeded' });
    }));

  it('starts afresh from a torn file', () =>
    inFolder(async (folder) => {
      const paths = podPaths(join(folder, 'data'), join(folder, 'run'), 'uid-1');
      await writeRecord(paths, {});
      writeFileSync(join(paths.run, 'record.json'), '{"startAtMs": 1');
      const recovered = await recover(paths, { wallMs: 5, monotonicMs: 0 }, 3);
      assert.is(recovered.memory.startAtMs, 3);
    }));

  it('refuses a uid that is no file name', () => {
    for (const uid of ['../x', '', 'a/b', '.']) assert.throws(() => podPaths('/d', '/r', uid));
  });
});

spec('pod events', (it) => {
  it('count repetitions under one id, for ten minutes', async () => {
    const clock = new ManualClock();
    const seen: EventReport[] = [];
    const events = new EventRecorder(clock, (event) => seen.push(event));
    const pod = desiredPod('p');
    for (const afterMs of [0, 5_000, 11 * 60_000]) {
      await clock.advance(afterMs);
      events.warning(pod, 'BackOff', 'text', 'main');
    }
    events.normal(pod, 'Started', 'text', 'main');
    assert.equal(
      seen.map((e) => e.count),
      [1, 2, 1, 1],
    );
    assert.is(seen[0]?.id, seen[1]?.id);
    assert.is(new Set(seen.map((e) => e.id)).size, 3);
    assert.is(seen[0]?.involved.fieldPath, 'spec.containers{main}');
  });
});

class FakeEngine {
  image_: ImageView | undefined = {
    id: 'sha256:1',
    user: '',
    stopSignal: '',
    sizeBytes: 1,
    platform: 'amd64',
  };
  pulls = 0;
  failure: RuntimeError | undefined;
  image = async (): Promise<ImageView | undefined> => this.image_;
  pull = async (): Promise<void> => {
    this.pulls++;
    if (this.failure !== undefined) throw this.failure;
    this.image_ = { id: 'sha256:2', user: '', stopSignal: '', sizeBytes: 1, platform: 'amd64' };
  };
}

spec('images', (it) => {
  const request = (policy: FetchRequest['policy']): FetchRequest => ({
    ref: 'busybox:latest',
    policy,
    auths: [],
    onPull: () => undefined,
  });
  const { signal } = new AbortController();

  const cases = [
    ['IfNotPresent', true, undefined, 'present', 0],
    ['IfNotPresent', false, undefined, 'pulled', 1],
    ['Always', true, undefined, 'pulled', 1],
    ['Always', true, 'RegistryUnreachable', 'fallback', 1],
    ['Always', true, 'ImageNotFound', 'ErrImagePull', 1],
    ['Always', false, 'RegistryUnreachable', 'ErrImagePull', 1],
    ['IfNotPresent', false, 'BadSpec', 'InvalidImageName', 1],
    ['Never', true, undefined, 'present', 0],
    ['Never', false, undefined, 'ErrImageNeverPull', 0],
  ] as const;
  for (const [policy, present, failure, expected, pulls] of cases)
    it(`${policy}, ${present ? 'present' : 'absent'}, ${failure ?? 'registry fine'}: ${expected}`, async () => {
      const engine = new FakeEngine();
      if (!present) engine.image_ = undefined;
      if (failure !== undefined) engine.failure = new RuntimeError(failure, 'no');
      const result = await new Images(engine, new ManualClock()).fetch(request(policy), signal);
      assert.is(result.ok ? result.how : result.reason, expected);
      assert.is(engine.pulls, pulls);
    });

  it('do not ask a registry again that was just out of reach', async () => {
    const engine = new FakeEngine();
    engine.failure = new RuntimeError('RegistryUnreachable', 'no');
    const clock = new ManualClock();
    const images = new Images(engine, clock);
    assert.is(await images.local('busybox:latest', 'Always', signal), undefined);
    await images.fetch(request('Always'), signal);
    assert.ok(await images.local('busybox:latest', 'Always', signal));
    await images.fetch(request('Always'), signal);
    assert.is(engine.pulls, 1);
    await clock.advance(6 * 60_000);
    await images.fetch(request('Always'), signal);
    assert.is(engine.pulls, 2);
  });

  for (const [ref, expected] of [
    ['busybox', 'docker.io'],
    ['a/b:1', 'docker.io'],
    ['ghcr.io/a/b', 'ghcr.io'],
    ['localhost/a', 'localhost'],
    ['host:5000/a', 'host:5000'],
  ] as const)
    it(`finds the registry of ${ref}`, () => assert.is(registryOf(ref), expected));

  it('take credentials from pull secrets of their registry', () => {
    const pod = desiredPod('p', { imagePullSecrets: [{ name: 's' }, { name: 'none' }] });
    const config = { auths: { 'https://ghcr.io': { auth: Buffer.from('me:pa:ss').toString('base64') } } };
    const data = { '.dockerconfigjson': Buffer.from(JSON.stringify(config)).toString('base64') };
    const secret = (name: string) => (name === 's' ? { data } : undefined);
    const expected = [{ username: 'me', password: 'pa:ss', serverAddress: 'https://ghcr.io' }];
    assert.equal(registryAuths(pod, 'ghcr.io/a/b', secret), expected);
    assert.equal(registryAuths(pod, 'quay.io/a/b', secret), []);
  });
});

spec('gRPC health', (it) => {
  it('writes and reads its two messages', () => {
    assert.equal([...encodeRequest('')], [0, 0, 0, 0, 0]);
    assert.equal([...encodeRequest('ab')], [0, 0, 0, 0, 4, 10, 2, 97, 98]);
    assert.is(readAnswer(Buffer.from([0, 0, 0, 0, 2, 8, 1])), 'SERVING');
    assert.is(readAnswer(Buffer.from([0, 0, 0, 0, 2, 8, 2])), 'NOT_SERVING');
    assert.is(readAnswer(Buffer.from([0, 0, 0, 0, 0])), 'UNKNOWN');
  });

  it('asks a server', async () => {
    const server = createServer();
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { signal } = new AbortController();
    assert.is(await grpcHealth('127.0.0.1', port, '', signal), 'SERVING');
    await new Promise((resolve) => void server.close(resolve));
  });
});
