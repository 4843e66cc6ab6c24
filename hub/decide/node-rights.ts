import type { Pod } from '../../protocol/kinds/pod.ts';
import { podReferences } from './assignment.ts';
import type { Ask, Asker, ResourceAsk } from './authorize.ts';

const NODES_GROUP = 'system:nodes';
const USER_PREFIX = 'system:node:';
const READ = ['get', 'list', 'watch'];

/** What node rights are judged by. */
export interface NodeFacts {
  readonly pod: (namespace: string, name: string) => Pod | undefined;
  readonly podsOnNode: (nodeName: string) => readonly Pod[];
}

/** The node whose device asks; undefined for everybody else. */
export function nodeOfAsker(asker: Asker): string | undefined {
  const isDevice = asker.groups.includes(NODES_GROUP) && asker.name.startsWith(USER_PREFIX);
  return isDevice && asker.name.length > USER_PREFIX.length
    ? asker.name.slice(USER_PREFIX.length)
    : undefined;
}

/**
 * True when a device may, for being that device: it reads its own Node, the pods bound to it, and the ConfigMaps and Secrets
 * those refer to, one by one. It writes nothing here, because everything it reports goes over MQTT. Pure; never throws.
 */
export function nodeMay(nodeName: string, ask: Ask, facts: NodeFacts): boolean {
  if ('path' in ask || ask.group !== '' || !READ.includes(ask.verb)) return false;
  if (ask.subresource !== undefined && ask.subresource !== '') return false;
  switch (ask.resource) {
    case 'nodes':
      return ask.name === nodeName;
    case 'pods':
      return podsAllowed(nodeName, ask, facts);
    case 'configmaps':
    case 'secrets':
      return isReferred(nodeName, ask, facts);
    default:
      return false;
  }
}

function podsAllowed(nodeName: string, ask: ResourceAsk, facts: NodeFacts): boolean {
  if (ask.verb !== 'get' && ask.fields?.['spec.nodeName'] === nodeName) return true;
  if (!ask.namespace || !ask.name) return false;
  return facts.pod(ask.namespace, ask.name)?.spec.nodeName === nodeName;
}

function isReferred(nodeName: string, ask: ResourceAsk, facts: NodeFacts): boolean {
  const { namespace, name, resource } = ask;
  if (!namespace || !name) return false;
  return facts.podsOnNode(nodeName).some((pod) => {
    if (pod.metadata.namespace !== namespace) return false;
    const { configMaps, secrets } = podReferences(pod.spec);
    return (resource === 'secrets' ? secrets : configMaps).has(name);
  });
}
