import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Readable as ReadableStream } from 'node:stream';
import type Docker from 'dockerode';
import { RuntimeError } from '../decide/runtime-error.ts';
import { isConflict, isNotFound } from './docker-errors.ts';
import type { ImageFacts, RegistryLogin, StoredImage } from './engine.ts';
import { pauseImage, SANDBOX_IMAGE, sandboxArchitecture } from './pause-image.ts';

interface ImageInspection {
  readonly Id: string;
  readonly RepoDigests?: readonly string[] | null;
  readonly Size?: number;
  readonly Architecture?: string;
  readonly Variant?: string | undefined;
  readonly Config?: { readonly User?: string; readonly StopSignal?: string | undefined } | null;
}

/** The image on the node; undefined when it is not there. */
export async function findImage(docker: Docker, ref: string): Promise<ImageFacts | undefined> {
  let info: ImageInspection;
  try {
    info = await docker.getImage(ref).inspect();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  const digest = info.RepoDigests?.[0];
  return {
    id: info.Id,
    ...(digest === undefined ? {} : { digest }),
    user: info.Config?.User ?? '',
    stopSignal: info.Config?.StopSignal ?? '',
    sizeBytes: info.Size ?? 0,
    platform: [info.Architecture, info.Variant].filter((part) => part).join('/'),
  };
}

/** Every image of the engine, also those without a name. */
export async function listImages(docker: Docker): Promise<StoredImage[]> {
  const found = await docker.listImages();
  return found.map((image) => ({
    id: image.Id,
    tags: (image.RepoTags ?? []).filter((name) => !name.includes('<none>')),
    digests: (image.RepoDigests ?? []).filter((name) => !name.includes('<none>')),
    sizeBytes: image.Size,
  }));
}

/** Ids of the images that any container of the engine was made from, running or not, also containers of other people. */
export async function imagesInUse(docker: Docker): Promise<Set<string>> {
  const containers = await docker.listContainers({ all: true });
  return new Set(containers.map((c) => c.ImageID));
}

/** Removes an image under all its names; false when the engine keeps it because something uses it after all. */
export async function removeImage(docker: Docker, image: StoredImage): Promise<boolean> {
  const names = [...image.tags, ...image.digests];
  for (const name of names.length > 0 ? names : [image.id]) {
    try {
      await docker.getImage(name).remove({ force: false });
    } catch (error) {
      if (isConflict(error)) return false;
      // The last tag takes the digests with it.
      if (!isNotFound(error)) throw error;
    }
  }
  return true;
}

/** Bytes that the agent's containers have written into their own layers, by id. Slow: the engine walks their files. */
export async function writtenBytes(docker: Docker, label: string): Promise<Map<string, number>> {
  const containers = await docker.listContainers({ all: true, size: true, filters: { label: [label] } });
  return new Map(containers.map((c) => [c.Id, (c as { SizeRw?: number }).SizeRw ?? 0]));
}

/** Pulls the image. The engine tells of failures by status or, later, by a line of its progress. */
export async function pullImage(
  docker: Docker,
  ref: string,
  auth: RegistryLogin | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const stream = (await docker.pull(withTag(ref), {
    ...(signal ? { abortSignal: signal } : {}),
    ...(auth
      ? {
          authconfig: {
            username: auth.username,
            password: auth.password,
            serveraddress: auth.serverAddress,
          },
        }
      : {}),
  })) as Readable;
  await drainProgress(stream);
}

/** Without a tag the engine would pull every tag of the repository. */
function withTag(ref: string): string {
  const name = ref.slice(ref.lastIndexOf('/') + 1);
  return name.includes(':') || name.includes('@') ? ref : `${ref}:latest`;
}

async function drainProgress(stream: Readable): Promise<void> {
  let failure: string | undefined;
  for await (const line of createInterface({ input: stream })) {
    const progress = JSON.parse(line) as { error?: string };
    failure ??= progress.error;
  }
  if (failure !== undefined) throw new Error(failure);
}

/** Loads the sandbox image the agent makes itself, unless the node has it. */
export async function loadSandboxImage(
  docker: Docker,
  engineArchitecture: string,
  signal?: AbortSignal,
): Promise<string> {
  if ((await findImage(docker, SANDBOX_IMAGE)) !== undefined) return SANDBOX_IMAGE;
  const architecture = sandboxArchitecture(engineArchitecture);
  if (architecture === undefined)
    throw new RuntimeError('EngineFailed', `no sandbox image for architecture ${engineArchitecture}`);
  const archive = ReadableStream.from([Buffer.from(pauseImage(architecture))]);
  const stream = (await docker.loadImage(archive, signal ? { abortSignal: signal } : {})) as Readable;
  await drainProgress(stream);
  return SANDBOX_IMAGE;
}
