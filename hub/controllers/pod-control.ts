import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodTemplateSpec } from '../../protocol/kinds/workloads.ts';
import type { NewObject } from '../cluster.ts';
import { type LoopDeps, referenceTo, tolerant } from '../loop.ts';
import { adoptObject, controllerReference, releaseObject } from './ownership.ts';

export { controllerReference } from './ownership.ts';

/** Creates, removes, adopts and releases pods for the controllers that own them, and tells it in Events of the owner. */
export class PodControl {
  readonly #deps: Pick<LoopDeps, 'client' | 'events'>;

  constructor(deps: Pick<LoopDeps, 'client' | 'events'>) {
    this.#deps = deps;
  }

  /** Rejects with what the API says; the owner has an Event either way. */
  async create(owner: KubeObject, pod: NewObject<Pod>): Promise<Pod> {
    const involved = referenceTo(owner);
    const { client, events } = this.#deps;
    try {
      const made = await client.create('Pod', pod);
      const message = `Created pod: ${made.metadata.name}`;
      events.record({ involved, type: 'Normal', reason: 'SuccessfulCreate', message });
      return made;
    } catch (error) {
      const message = `Error creating: ${errorText(error)}`;
      events.record({ involved, type: 'Warning', reason: 'FailedCreate', message });
      throw error;
    }
  }

  /** Deletes exactly this pod, with its own grace; one that is gone already is fine. */
  async remove(owner: KubeObject, pod: Pod): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    await tolerant(this.#deps.client.delete('Pod', namespace, name, { uid }));
    const message = `Deleted pod: ${name}`;
    this.#deps.events.record({
      involved: referenceTo(owner),
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message,
    });
  }

  /** Makes `owner` the controller of a pod that has none. */
  async adopt(owner: KubeObject, pod: Pod): Promise<void> {
    await adoptObject(this.#deps.client, 'Pod', owner, pod);
  }

  /** Takes the reference to `owner` off a pod. */
  async release(owner: KubeObject, pod: Pod): Promise<void> {
    await releaseObject(this.#deps.client, 'Pod', owner, pod);
  }
}

/** A pod stamped from a template, owned by `owner`; named `<owner>-<random>` unless `name` is given. */
export function podFromTemplate(
  owner: KubeObject,
  { metadata, spec }: PodTemplateSpec,
  name?: string,
): NewObject<Pod> {
  return {
    metadata: {
      ...(name === undefined ? { generateName: `${owner.metadata.name}-` } : { name }),
      namespace: owner.metadata.namespace ?? '',
      ...(metadata?.labels && { labels: metadata.labels }),
      ...(metadata?.annotations && { annotations: metadata.annotations }),
      ...(metadata?.finalizers && { finalizers: metadata.finalizers }),
      ownerReferences: [controllerReference(owner)],
    },
    spec,
  } as NewObject<Pod>;
}

/** The message of whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
