import type { PodToPlace } from '../decide/pod-to-place.ts';
import type { Resident } from './cluster-state.ts';

/** Pods that room is being made for, each with the node it was promised. */
export class Nominations {
  readonly #byUid = new Map<string, Resident>();
  #version = 0;

  /** Rises with every change. */
  get version(): number {
    return this.#version;
  }

  /** `pod` is to get the room on `node`. */
  add(pod: PodToPlace, node: string): void {
    this.#byUid.set(pod.uid, { pod, node });
    this.#version++;
  }

  /** The pod is bound, gone, or has to look elsewhere. Gives the node it was promised. */
  forget(uid: string): string | undefined {
    const node = this.of(uid);
    if (this.#byUid.delete(uid)) this.#version++;
    return node;
  }

  /** The node promised to a pod. */
  of(uid: string): string | undefined {
    return this.#byUid.get(uid)?.node;
  }

  /** Promises of this node. */
  on(node: string): readonly Resident[] {
    return this.#byUid.size === 0 ? NONE : this.#all((r) => r.node === node);
  }

  /** Promises that `pod` has to respect: those to pods that are at least as important. */
  before(pod: PodToPlace): readonly Resident[] {
    if (this.#byUid.size === 0) return NONE;
    return this.#all((r) => r.pod.uid !== pod.uid && r.pod.priority >= pod.priority);
  }

  /** Promises of this node to pods below a priority. */
  lowerOn(node: string, priority: number): Resident[] {
    return this.#all((r) => r.node === node && r.pod.priority < priority);
  }

  #all(holds: (resident: Resident) => boolean): Resident[] {
    return [...this.#byUid.values()].filter(holds);
  }
}

const NONE: readonly Resident[] = [];
