import type { DownwardAPIItem, KeyToPath, Volume, VolumeProjection } from '../../protocol/kinds/pod.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import { decodeBase64 } from './base64.ts';
import type { ConfigSource, Resolved } from './env.ts';
import { fieldValue, type NodeContext, resourceValue } from './field-ref.ts';

/** One file of a volume that the agent writes; `path` is relative and has been checked not to leave the volume. */
export interface VolumeFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
}

/** Files of a volume, and whether they hold secrets, which must never touch the disk. */
export interface VolumeContent {
  readonly files: readonly VolumeFile[];
  readonly secret: boolean;
}

type Files = Resolved<VolumeFile[]>;
const DEFAULT_MODE = 0o644;
const bad = (message: string): Files => ({ ok: false, message });

/** Files of a configMap, secret, downwardAPI or projected volume; undefined for volumes the agent does not write. */
export function volumeContent(
  pod: DesiredPod,
  volume: Volume,
  config: ConfigSource,
  node: NodeContext,
): Resolved<VolumeContent> | undefined {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined)
    return content(configMapFiles(configMap, configMap.defaultMode, config), false);
  if (secret !== undefined)
    return content(secretFiles({ ...secret, name: secret.secretName }, secret.defaultMode, config), true);
  if (downwardAPI !== undefined)
    return content(downwardFiles(pod, downwardAPI.items, downwardAPI.defaultMode, node), false);
  if (projected === undefined) return undefined;
  const sources = projected.sources ?? [];
  const all: VolumeFile[] = [];
  for (const source of sources) {
    const files = projectedFiles(pod, source, projected.defaultMode, config, node);
    if (!files.ok) return files;
    all.push(...files.value);
  }
  return content(
    { ok: true, value: all },
    sources.some((s) => s.secret !== undefined),
  );
}

function content(files: Files, secret: boolean): Resolved<VolumeContent> {
  if (!files.ok) return files;
  const byPath = new Map(files.value.map((file) => [file.path, file]));
  return { ok: true, value: { files: [...byPath.values()], secret } };
}

function projectedFiles(
  pod: DesiredPod,
  source: VolumeProjection,
  mode: number | undefined,
  config: ConfigSource,
  node: NodeContext,
): Files {
  if (source.configMap !== undefined) return configMapFiles(source.configMap, mode, config);
  if (source.secret !== undefined) return secretFiles(source.secret, mode, config);
  if (source.downwardAPI !== undefined) return downwardFiles(pod, source.downwardAPI.items, mode, node);
  return { ok: true, value: [] };
}

interface KeyedSource {
  readonly name: string;
  readonly items?: readonly KeyToPath[];
  readonly optional?: boolean;
}

function configMapFiles(source: KeyedSource, mode: number | undefined, config: ConfigSource): Files {
  const found = config.configMap(source.name);
  if (found === undefined)
    return source.optional ? { ok: true, value: [] } : bad(`configmap "${source.name}" not found`);
  const encoder = new TextEncoder();
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(found.data ?? {})) data.set(key, encoder.encode(text));
  for (const [key, text] of Object.entries(found.binaryData ?? {})) data.set(key, decodeBase64(text));
  return pick(data, source, mode, `configmap "${source.name}"`);
}

function secretFiles(source: KeyedSource, mode: number | undefined, config: ConfigSource): Files {
  const found = config.secret(source.name);
  if (found === undefined)
    return source.optional ? { ok: true, value: [] } : bad(`secret "${source.name}" not found`);
  const data = new Map(Object.entries(found.data ?? {}).map(([key, text]) => [key, decodeBase64(text)]));
  return pick(data, source, mode, `secret "${source.name}"`);
}

function pick(
  data: ReadonlyMap<string, Uint8Array>,
  source: KeyedSource,
  mode: number | undefined,
  what: string,
): Files {
  const items: readonly KeyToPath[] = source.items ?? [...data.keys()].map((key) => ({ key, path: key }));
  const files: VolumeFile[] = [];
  for (const item of items) {
    const bytes = data.get(item.key);
    if (!isInside(item.path)) return bad(`path "${item.path}" of ${what} leaves the volume`);
    if (bytes !== undefined)
      files.push({ path: item.path, content: bytes, mode: item.mode ?? mode ?? DEFAULT_MODE });
    else if (!source.optional) return bad(`${what} references non-existent config key: ${item.key}`);
  }
  return { ok: true, value: files };
}

function downwardFiles(
  pod: DesiredPod,
  items: readonly DownwardAPIItem[] | undefined,
  mode: number | undefined,
  node: NodeContext,
): Files {
  const files: VolumeFile[] = [];
  for (const item of items ?? []) {
    const value =
      item.fieldRef !== undefined
        ? fieldValue(pod, node, item.fieldRef.fieldPath)
        : item.resourceFieldRef && resourceValue(pod.spec, node, item.resourceFieldRef, undefined);
    if (value === undefined) return bad(`downward API item "${item.path}" names no known field`);
    if (!isInside(item.path)) return bad(`path "${item.path}" leaves the volume`);
    files.push({
      path: item.path,
      content: new TextEncoder().encode(value),
      mode: item.mode ?? mode ?? DEFAULT_MODE,
    });
  }
  return { ok: true, value: files };
}

/** Relative, without `..` and not beginning with the two dots that the writer uses for itself. */
export function isInside(path: string): boolean {
  if (path === '' || path.startsWith('/') || path.startsWith('..')) return false;
  return path.split('/').every((part) => part !== '..' && part !== '.' && part !== '');
}

/** Names the content the pod's written volumes should have: changes exactly when a file to be written changes. */
export function volumeRevision(
  pod: DesiredPod,
  config: ConfigSource,
  node: NodeContext,
  hash: (text: string) => string,
): string {
  const parts: string[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    const claim = pod.claims?.[volume.name];
    if (claim !== undefined) parts.push(volume.name, claim.volume, claim.path ?? '');
    const found = volumeContent(pod, volume, config, node);
    if (found === undefined) continue;
    parts.push(volume.name);
    if (!found.ok) parts.push(`!${found.message}`);
    else for (const f of found.value.files) parts.push(f.path, String(f.mode), latin(f.content));
  }
  return hash(parts.map((part) => `${part.length}:${part}`).join(''));
}

function latin(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
