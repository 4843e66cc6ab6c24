import type { Item } from '../protocol/wire/messages.ts';
import { podOfTokens } from '../protocol/wire/pod-tokens.ts';
import type { HeldState } from './decide/desired-step.ts';
import type { DesiredState } from './pods/ports.ts';

/** What the link holds, as the pods room reads it: pods and tokens by the pod's uid, the rest by `namespace/name`. */
export function toDesiredState(held: HeldState): DesiredState {
  const pods = new Map<string, BodyOf<'pod'>>();
  const configMaps = new Map<string, BodyOf<'configmap'>>();
  const secrets = new Map<string, BodyOf<'secret'>>();
  const tokens = new Map<string, Record<string, string>>();
  for (const item of held.items.values()) {
    if (item.kind === 'pod') pods.set(item.body.metadata.uid, item.body);
    if (item.kind === 'configmap') configMaps.set(nameOf(item.body.metadata), item.body);
    if (item.kind !== 'secret') continue;
    const uid = podOfTokens(item.body.metadata.name);
    if (uid === undefined) secrets.set(nameOf(item.body.metadata), item.body);
    else tokens.set(uid, item.body.data ?? {});
  }
  return { pods, configMaps, secrets, tokens, node: nodeItem(held) };
}

type BodyOf<K extends Item['kind']> = Extract<Item, { kind: K }>['body'];

function nameOf(metadata: { readonly name: string; readonly namespace?: string }): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}

/** The hub's wishes for the node itself. */
export function nodeItem(held: HeldState): DesiredState['node'] {
  for (const item of held.items.values()) if (item.kind === 'node') return item.body;
  return undefined;
}
