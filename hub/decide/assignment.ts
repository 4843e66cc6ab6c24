import type { ConfigMap, Secret } from '../../protocol/kinds/core.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Container, Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import type { DesiredPod, Item, ItemKey, NodeItem } from '../../protocol/wire/messages.ts';
import { contentHash } from './content-hash.ts';

/** Annotations of a Node with this prefix override settings of the device's profile, for example `heartbeatMs`. */
export const SETTING_PREFIX = 'setting.coxswain.dev/';

/** Names of the ConfigMaps and Secrets a pod refers to, in its own namespace. */
export interface PodReferences {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

/** Where an assignment reads from; lookups answer undefined for what does not exist. */
export interface AssignmentSources {
  readonly configMap: (namespace: string, name: string) => ConfigMap | undefined;
  readonly secret: (namespace: string, name: string) => Secret | undefined;
  readonly clusterCidr: string | undefined;
  /** What the claims of a pod stand for; undefined for a pod without claims. */
  readonly claims: (pod: Pod) => DesiredPod['claims'];
  /** Names of the volumes whose data the node is told to remove. */
  readonly removeVolumes: (node: string) => readonly string[];
  /** Makes the item of an object; the caller may remember the result per (frozen) object. */
  readonly itemOf: typeof itemOf;
}

/**
 * Everything a node should hold: its pods (all that are bound to it, also those being deleted and those that have ended), the
 * ConfigMaps and Secrets they refer to, and its own settings. Order of `pods` does not matter. Pure; never throws.
 */
export function assignment(
  node: Node | undefined,
  pods: readonly Pod[],
  sources: AssignmentSources,
): Map<ItemKey, Item> {
  const items = new Map<ItemKey, Item>();
  const put = (item: Item): void => void items.set(item.key, item);
  if (node !== undefined) put(nodeItem(node, sources.clusterCidr, sources.removeVolumes(node.metadata.name)));
  for (const pod of pods) {
    put(sources.itemOf(pod, sources.claims(pod)));
    const namespace = pod.metadata.namespace ?? '';
    const references = podReferences(pod.spec);
    for (const name of references.configMaps) {
      const found = sources.configMap(namespace, name);
      if (found !== undefined) put(sources.itemOf(found));
    }
    for (const name of references.secrets) {
      const found = sources.secret(namespace, name);
      if (found !== undefined) put(sources.itemOf(found));
    }
  }
  return items;
}

/** The item of one object, with the revision its content gives it; `claims` is what the claims of a pod stand for. */
export function itemOf(object: Pod | ConfigMap | Secret, claims?: DesiredPod['claims']): Item {
  const { name, namespace = '' } = object.metadata;
  if (object.kind === 'Pod') return podItem(object, claims);
  const metadata = dataMetadata(object);
  if (object.kind === 'ConfigMap') {
    const { data, binaryData } = object;
    const body = { metadata, ...(data && { data }), ...(binaryData && { binaryData }) };
    return { key: `configmap/${namespace}/${name}`, rev: contentHash(body), kind: 'configmap', body };
  }
  const { data, type } = object;
  const body = { metadata, ...(data && { data }), ...(type !== undefined && { type }) };
  return { key: `secret/${namespace}/${name}`, rev: contentHash(body), kind: 'secret', body };
}

/** The item of a pod, with what its claims stand for. */
function podItem(pod: Pod, claims?: DesiredPod['claims']): Item {
  const body = { ...desiredPod(pod), ...(claims && { claims }) };
  return { key: `pod/${pod.metadata.uid}`, rev: contentHash(body), kind: 'pod', body };
}

/** Only what the device needs: resourceVersion and managers would change the revision without changing the content. */
function dataMetadata(object: ConfigMap | Secret): ConfigMap['metadata'] {
  const { name, namespace = '', uid, creationTimestamp } = object.metadata;
  return { name, namespace, uid, creationTimestamp, resourceVersion: '' };
}

/** True when both states share every part that a device is told of; false when they may differ. Cheap: looks at no content. */
export function isSameForDevice(a: Pod, b: Pod): boolean {
  const [of, to] = [a.metadata, b.metadata];
  return (
    a.spec === b.spec &&
    of.labels === to.labels &&
    of.annotations === to.annotations &&
    of.deletionTimestamp === to.deletionTimestamp &&
    of.deletionGracePeriodSeconds === to.deletionGracePeriodSeconds
  );
}

function desiredPod(pod: Pod): DesiredPod {
  const { name, namespace, uid, labels, annotations, deletionTimestamp, deletionGracePeriodSeconds } =
    pod.metadata;
  return {
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      uid,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds }),
    },
    spec: pod.spec,
  };
}

function nodeItem(node: Node, clusterCidr: string | undefined, removeVolumes: readonly string[]): Item {
  const settings: Record<string, number> = {};
  for (const [key, value] of Object.entries(node.metadata.annotations ?? {})) {
    if (key.startsWith(SETTING_PREFIX) && /^\d{1,12}$/.test(value)) {
      settings[key.slice(SETTING_PREFIX.length)] = Number(value);
    }
  }
  const body: NodeItem = {
    ...(node.spec.podCIDR !== undefined && { podCIDR: node.spec.podCIDR }),
    ...(clusterCidr !== undefined && { clusterCIDR: clusterCidr }),
    ...(Object.keys(settings).length > 0 && { settings }),
    ...(removeVolumes.length > 0 && { removeVolumes }),
  };
  return { key: 'node', rev: contentHash(body), kind: 'node', body };
}

/** Collects the ConfigMaps and Secrets that a pod's containers, volumes and image pulls name. */
export function podReferences(spec: PodSpec): PodReferences {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const note = (set: Set<string>, name: string | undefined): void => {
    if (name) set.add(name);
  };
  for (const container of [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ]) {
    noteContainer(
      container,
      (name) => note(configMaps, name),
      (name) => note(secrets, name),
    );
  }
  for (const volume of spec.volumes ?? []) {
    note(configMaps, volume.configMap?.name);
    note(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      note(configMaps, source.configMap?.name);
      note(secrets, source.secret?.name);
    }
  }
  for (const { name } of spec.imagePullSecrets ?? []) note(secrets, name);
  return { configMaps, secrets };
}

function noteContainer(
  container: Container,
  configMap: (name: string | undefined) => void,
  secret: (name: string | undefined) => void,
): void {
  for (const { valueFrom } of container.env ?? []) {
    configMap(valueFrom?.configMapKeyRef?.name);
    secret(valueFrom?.secretKeyRef?.name);
  }
  for (const from of container.envFrom ?? []) {
    configMap(from.configMapRef?.name);
    secret(from.secretRef?.name);
  }
}
