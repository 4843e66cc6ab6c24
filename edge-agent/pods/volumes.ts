import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, Volume } from '../../protocol/kinds/pod.ts';
import { bytesOf } from '../../protocol/quantity.ts';
import type { ClaimedVolume, DesiredPod } from '../../protocol/wire/messages.ts';
import type { DeviceMount, Mount } from '../decide/container-spec.ts';
import { type ConfigSource, expand } from '../decide/env.ts';
import type { NodeContext } from '../decide/field-ref.ts';
import { volumeContent } from '../decide/volume-files.ts';
import { writeVolume } from './atomic-writer.ts';
import { ClaimFolders } from './claim-folders.ts';
import { giveGroup } from './fs-group.ts';
import { prepareHostPath } from './host-path.ts';
import { type PodPaths, podPaths, removeFiles } from './pod-files.ts';
import { subPath } from './sub-path.ts';
import { mountTmpfs, unmountBelow } from './tmpfs.ts';
import { VolumeError } from './volume-error.ts';

/** Where a volume's content is on the node; a device of the node is handed on as a device. */
export interface VolumeSource {
  readonly path: string;
  readonly isDevice: boolean;
  /** Written by the agent: containers only read it. */
  readonly managed: boolean;
  readonly readOnly?: boolean;
}

/** What a container gets of its pod's volumes. */
export interface ContainerVolumes {
  readonly mounts: readonly Mount[];
  readonly devices: readonly DeviceMount[];
}

/** Volumes of the pods of one node. Written volumes change in one step, as containers see them. */
export class Volumes {
  /** Folders of the volumes that claims stand for. */
  readonly claims: ClaimFolders;
  readonly #dataDir: string;
  readonly #runDir: string;

  constructor(dataDir: string, runDir: string) {
    this.claims = new ClaimFolders(dataDir);
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
    await removeFiles(paths);
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
        readOnly: wanted.readOnly === true || source.managed || source.readOnly === true,
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
    if (volume.persistentVolumeClaim !== undefined) return this.#prepareClaim(pod, volume, fsGroup);
    const content = volumeContent(pod, volume, config, node);
    if (content === undefined) throw new VolumeError(volume.name, 'this kind of volume is not supported');
    if (!content.ok) throw new VolumeError(volume.name, content.message);
    await writeVolume(this.#path(uid, volume), content.value.files, fsGroup);
  }

  async #prepareClaim(pod: DesiredPod, volume: Volume, fsGroup: number | undefined): Promise<void> {
    const { volume: name, path, type = '' } = claimed(pod, volume);
    if (path !== undefined) return prepareHostPath(volume.name, { path, type });
    await this.claims.make(name, fsGroup);
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
    if (volume.persistentVolumeClaim !== undefined) {
      const { volume: name, path = this.claims.path(name), readOnly = false } = claimed(pod, volume);
      return { path, isDevice: false, managed: false, readOnly };
    }
    if (volume.hostPath === undefined) {
      const path = this.#path(pod.metadata.uid, volume);
      return { path, isDevice: false, managed: volume.emptyDir === undefined };
    }
    const { path } = volume.hostPath;
    const info = await stat(path);
    return { path, isDevice: info.isCharacterDevice() || info.isBlockDevice(), managed: false };
  }
}

/** What the claim of a volume stands for here; the hub says so once claim and volume are bound. */
function claimed(pod: DesiredPod, volume: Volume): ClaimedVolume {
  const found = pod.claims?.[volume.name];
  if (found !== undefined) return found;
  const claim = volume.persistentVolumeClaim?.claimName ?? '';
  throw new VolumeError(
    volume.name,
    `persistentvolumeclaim "${claim}" is not bound to a volume of this node`,
  );
}

function propagation(mode: string | undefined): Pick<Mount, 'propagation'> {
  if (mode === 'HostToContainer') return { propagation: 'rslave' };
  return mode === 'Bidirectional' ? { propagation: 'rshared' } : {};
}
