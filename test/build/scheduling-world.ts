import type { Event } from '../../protocol/kinds/core.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { HubWorld } from './hub-world.ts';

/** Events of one reason. */
export function eventsOf(world: HubWorld, reason: string): Event[] {
  return world.store.list('Event', 'default').filter((e) => e.reason === reason);
}

/** How often pods were tried in vain, over all of them. */
export function failedTries(world: HubWorld): number {
  return eventsOf(world, 'FailedScheduling').reduce((sum, e) => sum + (e.count ?? 1), 0);
}

/** What the newest FailedScheduling event of a pod says. */
export function whyPending(world: HubWorld, name: string): string {
  return eventsOf(world, 'FailedScheduling').find((e) => e.involvedObject.name === name)?.message ?? '';
}

/** Creates a pod of one container with the label `app`, its own name unless told. */
export async function createPod(
  world: HubWorld,
  name: string,
  spec: Partial<Pod['spec']> = {},
  labels: Record<string, string> = { app: name },
): Promise<Pod> {
  const priorityClassName = await priorityClass(world, spec);
  return world.store.create('Pod', {
    metadata: { name, namespace: 'default', labels },
    spec: {
      containers: [{ name: 'c', image: 'i' }],
      ...spec,
      ...(priorityClassName === undefined ? {} : { priorityClassName }),
    },
  });
}

/** Admission gives a pod the priority of its class and no other: makes the class that says what the spec says. */
async function priorityClass(
  { store }: HubWorld,
  { priority = 0, preemptionPolicy = 'PreemptLowerPriority' }: Partial<Pod['spec']>,
): Promise<string | undefined> {
  if (priority === 0) return undefined;
  const name = `${preemptionPolicy}-${priority}`.toLowerCase();
  if (store.get('PriorityClass', '', name) === undefined)
    await store.create('PriorityClass', { metadata: { name }, value: priority, preemptionPolicy });
  return name;
}

/** A spec that asks for so much memory. */
export function asking(memory: string): Pod['spec'] {
  return { containers: [{ name: 'c', image: 'i', resources: { requests: { memory } } }] };
}

/** The pod as it is now. */
export function podNow(world: HubWorld, name: string): Pod | undefined {
  return world.store.get('Pod', 'default', name);
}

/** The node of a pod that is bound. */
export function nodeOfPod(world: HubWorld, name: string): string | undefined {
  return podNow(world, name)?.spec.nodeName;
}

/** Status and reason of one of a pod's conditions. */
export function conditionOf(world: HubWorld, name: string, type: string): string {
  const condition = podNow(world, name)?.status?.conditions?.find((c) => c.type === type);
  return condition === undefined ? '' : `${condition.status} ${condition.reason ?? ''}`.trim();
}
