import { chmod, chown, lstat, mkdir, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Container, Volume } from '../../protocol/kinds/pod.ts';
import { bytesOf } from '../../protocol/quantity.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type { DeviceMount, Mount } from '../decide/container-spec.ts';
import { type ConfigSource, expand } from '../decide/env.ts';
import type { NodeContext } from '../decide/field-ref.ts';
import { isInside, volumeContent } from '../decide/volume-files.ts';
import { writeVolume } from './atomic-writer.ts';
import { isMissing, type PodPaths, podPaths } from './pod-files.ts';
import { mountTmpfs, unmountBelow } from './tmpfs.ts';

/** Where a volume's content is on the node; a device of the node is handed on as a device. */
export interface VolumeSource {
  readonly path: string;
  readonly isDevice: boolean;
  /** Written by the agent: containers only read it. */
  readonly managed: boolean;
}

/** What a container gets of its pod's volumes. */
export interface ContainerVolumes {
  readonly mounts: readonly Mount[];
  readonly devices: readonly DeviceMount[];
}

/** A volume that cannot be had; the message is that of the FailedMount event. */
export class VolumeError extends Error {
  readonly volume: string;
  constructor(volume: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VolumeError';
    this.volume = volume;
  }
}

/** Volumes of the pods of one node. Written volumes change in one step, as containers see them. */
export class Volumes {
  readonly #dataDir: string;
  readonly #runDir: string;

  constructor(dataDir: string, runDir: string) {
    this.#dataDir = dataDir;
    this.#runDir = runDir;
  }

  paths(uid: string): PodPaths {
    return podPaths(this.#dataDir, this.#runDir, uid);
  }

  /** Makes all volumes of the pod or brings their content up to date. Rejects with VolumeError. */
  async prepare(pod: DesiredPod, config: ConfigSource, node: NodeContext): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) {
      try {
        await this.#prepareOne(pod, volume, config, node);
      } catch (error) {
        if (error instanceof VolumeError) throw error;
        const text = error instanceof Error ? error.message : String(error);
        throw new VolumeError(volume.name, text, { cause: error });
      }
    }
  }

  /** Gives everything back: unmounts, and removes the pod's files. */
  async release(uid: string): Promise<void> {
    const paths = this.paths(uid);
    await unmountBelow(paths.run);
    await Promise.all([paths.data, paths.run].map((path) => rm(path, { recursive: true, force: true })));
  }

  /** Mounts and devices of a container. Rejects with VolumeError when a subPath leaves its volume. */
  async containerVolumes(
    pod: DesiredPod,
    container: Container,
    env: ReadonlyMap<string, string>,
  ): Promise<ContainerVolumes> {
    const mounts: Mount[] = [];
    const devices: DeviceMount[] = [];
    for (const wanted of container.volumeMounts ?? []) {
      const volume = pod.spec.volumes?.find((v) => v.name === wanted.name);
      if (volume === undefined) throw new VolumeError(wanted.name, 'the pod has no such volume');
      const source = await this.#source(pod, volume);
      if (source.isDevice) {
        devices.push({ source: await realpath(source.path), target: wanted.mountPath });
        continue;
      }
      const sub = wanted.subPathExpr ? expand(wanted.subPathExpr, env) : wanted.subPath;
      const path = sub ? await subPath(volume.name, source, sub) : source.path;
      mounts.push({
        source: path,
        target: wanted.mountPath,
        readOnly: wanted.readOnly === true || source.managed,
        ...propagation(wanted.mountPropagation),
      });
    }
    return { mounts, devices };
  }

  async #prepareOne(pod: DesiredPod, volume: Volume, config: ConfigSource, node: NodeContext): Promise<void> {
    const { uid } = pod.metadata;
    const fsGroup = pod.spec.securityContext?.fsGroup;
    if (volume.hostPath !== undefined) return prepareHostPath(volume.name, volume.hostPath);
    if (volume.emptyDir !== undefined) {
      const path = this.#path(uid, volume);
      await mkdir(path, { recursive: true });
      if (volume.emptyDir.medium === 'Memory') await mountTmpfs(path, bytesOf(volume.emptyDir.sizeLimit));
      // After the mount: it brings a directory of its own.
      await chmod(path, 0o777);
      if (fsGroup !== undefined) await giveGroup(path, fsGroup);
      return;
    }
    const content = volumeContent(pod, volume, config, node);
    if (content === undefined) throw new VolumeError(volume.name, 'this kind of volume is not supported');
    if (!content.ok) throw new VolumeError(volume.name, content.message);
    await writeVolume(this.#path(uid, volume), content.value.files, fsGroup);
  }

  /** Secrets, everything projected with one, and memory volumes live in memory; the rest on the disk. */
  #path(uid: string, volume: Volume): string {
    const paths = this.paths(uid);
    const inMemory =
      volume.secret !== undefined ||
      volume.emptyDir?.medium === 'Memory' ||
      volume.projected?.sources?.some((s) => s.secret !== undefined) === true;
    return join(inMemory ? paths.run : paths.data, 'volumes', volume.name);
  }

  async #source(pod: DesiredPod, volume: Volume): Promise<VolumeSource> {
    if (volume.hostPath === undefined) {
      const path = this.#path(pod.metadata.uid, volume);
      return { path, isDevice: false, managed: volume.emptyDir === undefined };
    }
    const { path } = volume.hostPath;
    const info = await stat(path);
    return { path, isDevice: info.isCharacterDevice() || info.isBlockDevice(), managed: false };
  }
}

function propagation(mode: string | undefined): Pick<Mount, 'propagation'> {
  if (mode === 'HostToContainer') return { propagation: 'rslave' };
  return mode === 'Bidirectional' ? { propagation: 'rshared' } : {};
}

type FileKind = 'Directory' | 'File' | 'Socket' | 'CharDevice' | 'BlockDevice';

/** Checks or makes a path of the node: https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types */
async function prepareHostPath(
  name: string,
  { path, type = '' }: { path: string; type?: string },
): Promise<void> {
  const kind = await kindOf(path);
  if (type === '') {
    // Docker refuses a mount of a path that is not there; Kubernetes makes an empty directory, as `docker -v` does.
    if (kind === undefined) await mkdir(path, { recursive: true });
    return;
  }
  if (type === 'DirectoryOrCreate' && kind === undefined)
    return void (await mkdir(path, { recursive: true }));
  if (type === 'FileOrCreate' && kind === undefined) return writeFile(path, '', { flag: 'a', mode: 0o644 });
  const wanted = type.replace('OrCreate', '');
  if (kind !== wanted)
    throw new VolumeError(name, `hostPath type check failed: ${path} is not a ${describe(wanted)}`);
}

function describe(kind: string): string {
  return kind.replace('CharDevice', 'character device').replace('BlockDevice', 'block device').toLowerCase();
}

async function kindOf(path: string): Promise<FileKind | undefined> {
  try {
    const info = await stat(path);
    if (info.isDirectory()) return 'Directory';
    if (info.isSocket()) return 'Socket';
    if (info.isCharacterDevice()) return 'CharDevice';
    return info.isBlockDevice() ? 'BlockDevice' : 'File';
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A path inside a volume, made as a directory when missing; symbolic links must not lead out of the volume. */
async function subPath(volume: string, source: VolumeSource, sub: string): Promise<string> {
  if (!isInside(sub))
    throw new VolumeError(volume, `subPath "${sub}" must be relative and must not contain '..'`);
  const root = await realpath(source.path);
  const path = join(root, sub);
  try {
    await lstat(path);
  } catch (error) {
    if (!isMissing(error) || source.managed) throw error;
    await assertInside(volume, root, await deepestExisting(dirname(path)), sub);
    await mkdir(path, { recursive: true, mode: 0o750 });
  }
  const real = await realpath(path);
  await assertInside(volume, root, real, sub);
  return real;
}

async function deepestExisting(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return deepestExisting(dirname(path));
  }
}

async function assertInside(volume: string, root: string, real: string, sub: string): Promise<void> {
  const way = relative(root, real);
  if (way.startsWith('..') || way.startsWith('/'))
    throw new VolumeError(volume, `subPath "${sub}" leads out of the volume`);
}

/** The group owns the volume and everything made in it. */
async function giveGroup(path: string, gid: number): Promise<void> {
  const info = await stat(path);
  if (info.gid === gid && (info.mode & 0o2000) !== 0) return;
  for (const entry of await readdir(path, { recursive: true })) {
    const full = join(path, entry);
    const { uid, mode, ...kind } = await lstat(full);
    if ((mode & 0o170000) === 0o120000 || kind.nlink === 0) continue;
    await chown(full, uid, gid);
    await chmod(full, (mode & 0o7777) | 0o060);
  }
  await chown(path, info.uid, gid);
  await chmod(path, (info.mode & 0o7777) | 0o2770);
}
