import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ClaimFolders } from '../../../../edge-agent/pods/claim-folders.ts';
import type { DesiredState } from '../../../../edge-agent/pods/ports.ts';
import { VolumeSweep } from '../../../../edge-agent/pods/volume-sweep.ts';
import { Volumes } from '../../../../edge-agent/pods/volumes.ts';
import { silentLogger } from '../../../../kit/logger.ts';
import type { DesiredPod, NodeItem } from '../../../../protocol/wire/messages.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { spec } from '../../../spec.ts';

const NODE = { nodeName: 'n', hostIp: '1.2.3.4', podIp: '', cpuMilli: 1000, memoryBytes: 1 };
const NOTHING = { configMap: () => undefined, secret: () => undefined };

async function inFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'claims-'));
  try {
    await run(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const user = (claims?: DesiredPod['claims'], mounts: object[] = []): DesiredPod => ({
  ...desiredPod('user', {
    containers: [container({ volumeMounts: [{ name: 'data', mountPath: '/data' }, ...(mounts as [])] })],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'mine' } }],
  }),
  ...(claims === undefined ? {} : { claims }),
});

function state(pods: readonly DesiredPod[], node?: NodeItem): DesiredState {
  const none = new Map<string, never>();
  return { pods: new Map(pods.map((p) => [p.metadata.uid, p])), configMaps: none, secrets: none, node };
}

spec('claims on a device', (it) => {
  it('keep their folder when the pod goes', () =>
    inFolder(async (dir) => {
      const volumes = new Volumes(join(dir, 'data'), join(dir, 'run'));
      const pod = user({ data: { volume: 'pvc-1' } });
      await volumes.prepare(pod, NOTHING, NODE);
      const path = join(dir, 'data', 'volumes', 'pvc-1');
      assert.is(statSync(path).mode & 0o777, 0o777);
      assert.is(statSync(join(path, '..')).mode & 0o777, 0o700, 'out of reach for other users of the node');
      writeFileSync(join(path, 'file'), 'kept');
      await volumes.release(pod.metadata.uid);
      await volumes.prepare(pod, NOTHING, NODE);
      assert.equal(readdirSync(path), ['file']);
    }));

  it('are mounted whole, in part, and read-only', () =>
    inFolder(async (dir) => {
      const volumes = new Volumes(dir, join(dir, 'run'));
      const part = { name: 'data', mountPath: '/part', subPath: 'a/b' };
      const pod = user({ data: { volume: 'pvc-1', readOnly: true } }, [part]);
      await volumes.prepare(pod, NOTHING, NODE);
      const { mounts } = await volumes.containerVolumes(pod, pod.spec.containers[0] as never, new Map());
      const root = join(dir, 'volumes', 'pvc-1');
      assert.equal(
        mounts.map((m) => [m.source, m.target, m.readOnly]),
        [
          [root, '/data', true],
          [join(root, 'a/b'), '/part', true],
        ],
      );
      assert.is(statSync(join(root, 'a')).mode & 0o777, 0o777, 'as the volume is');
    }));

  it('may be a path that a person prepared, which must be there', () =>
    inFolder(async (dir) => {
      const volumes = new Volumes(dir, join(dir, 'run'));
      const disk = join(dir, 'disk');
      const pod = user({ data: { volume: 'pv', path: disk, type: 'Directory' } });
      const failure = await volumes.prepare(pod, NOTHING, NODE).then(
        () => '',
        (error: Error) => error.message,
      );
      assert.match(failure, /is not a directory/);
      mkdirSync(disk);
      await volumes.prepare(pod, NOTHING, NODE);
      const { mounts } = await volumes.containerVolumes(pod, pod.spec.containers[0] as never, new Map());
      assert.is(mounts[0]?.source, disk);
    }));

  it('wait until the hub says what they stand for', () =>
    inFolder(async (dir) => {
      const volumes = new Volumes(dir, join(dir, 'run'));
      const failure = await volumes.prepare(user(), NOTHING, NODE).then(
        () => '',
        (error: Error) => error.message,
      );
      assert.is(failure, 'persistentvolumeclaim "mine" is not bound to a volume of this node');
    }));

  it('never leave the folder of volumes', () => {
    const folders = new ClaimFolders('/data');
    for (const name of ['..', '.', 'a/b', '', '../x', 'A', '-x'])
      assert.throws(() => folders.path(name), /no file name/);
  });
});

spec('removing volumes', (it) => {
  interface World {
    readonly sweep: VolumeSweep;
    readonly list: () => string[];
    told: number;
    unknown: boolean;
    desired: DesiredState | undefined;
    settle(): Promise<void>;
  }

  async function world(dir: string): Promise<World> {
    const folders = new ClaimFolders(dir);
    for (const volume of ['old', 'used', 'other']) {
      await folders.make(volume, undefined);
      writeFileSync(join(folders.path(volume), 'file'), volume);
    }
    const made: World = {
      sweep: new VolumeSweep({
        folders,
        desired: () => made.desired,
        hasUnknownPods: () => made.unknown,
        onChange: () => {
          made.told += 1;
        },
        log: silentLogger,
      }),
      list: () => readdirSync(join(dir, 'volumes')).sort(),
      told: 0,
      unknown: false,
      desired: undefined,
      settle: async () => {
        made.sweep.look();
        await made.sweep.idle;
      },
    };
    return made;
  }

  it('removes what it is told, once no pod can be using it', () =>
    inFolder(async (dir) => {
      const w = await world(dir);
      await w.settle();
      w.desired = state([], {});
      await w.settle();
      assert.equal(w.list(), ['old', 'other', 'used'], 'silence removes nothing');
      w.desired = state([user({ data: { volume: 'used' } })], { removeVolumes: ['never', 'old', 'used'] });
      w.unknown = true;
      await w.settle();
      assert.equal([w.list(), w.sweep.removed], [['old', 'other', 'used'], []]);
      w.unknown = false;
      await w.settle();
      assert.equal(
        [w.list(), w.sweep.removed],
        [
          ['other', 'used'],
          ['never', 'old'],
        ],
      );
      w.desired = state([], { removeVolumes: ['used'] });
      await w.settle();
      assert.equal([w.list(), w.sweep.removed], [['other'], ['used']]);
      w.desired = state([], {});
      await w.settle();
      assert.equal([w.list(), w.sweep.removed, w.told], [['other'], [], 3]);
    }));

  it('follows no link out of the folder', () =>
    inFolder(async (dir) => {
      const w = await world(dir);
      mkdirSync(join(dir, 'precious'));
      symlinkSync(join(dir, 'precious'), join(dir, 'volumes', 'old', 'link'));
      symlinkSync(join(dir, 'precious'), join(dir, 'volumes', 'linked'));
      w.desired = state([], { removeVolumes: ['linked', 'old'] });
      await w.settle();
      assert.equal(w.list(), ['other', 'used']);
      assert.ok(statSync(join(dir, 'precious')).isDirectory());
    }));
});
