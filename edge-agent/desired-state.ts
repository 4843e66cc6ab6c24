import type { Item } from '../protocol/wire/messages.ts';
import type { HeldState } from './decide/desired-step.ts';
import type { DesiredState } from './pods/ports.ts';

/** What the link holds, as the pods room reads it: pods by uid, the rest by `namespace/name`. */
export function toDesiredState(held: HeldState): DesiredState {
  const items = [...held.items.values()];
  const named = <K extends 'configmap' | 'secret'>(kind: K): Map<string, Extract<Item, { kind: K }>['body']> =>
    new Map(
      items
        .filter((item): item is Extract<Item, { kind: K }> => item.kind === kind)
        .map((item) => [`${item.body.metadata.namespace ?? 'default'}/${item.body.metadata.name}`, item.body]),
    );
  return {
    pods: new Map(items.flatMap((i) => (i.kind === 'pod' ? [[i.body.metadata.uid, i.body] as const] : []))),
    configMaps: named('configmap'),
    secrets: named('secret'),
    node: nodeItem(held),
  };
}

/** The hub's wishes for the node itself. */
export function nodeItem(held: HeldState): DesiredState['node'] {
  for (const item of held.items.values()) if (item.kind === 'node') return item.body;
  return undefined;
}
