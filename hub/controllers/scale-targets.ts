import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KindName } from '../../protocol/kinds/kind-map.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { scaleViewOf } from '../../protocol/kinds/scale-view.ts';
import type { LoopDeps } from '../loop.ts';

/** Names something with a `/scale`; the version of `apiVersion` does not matter. */
export interface ScaleRef {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
}

/** The numbers of a workload as its `/scale` shows them; `selector` as the query of a list takes it. */
export interface Scale {
  readonly uid: string;
  readonly replicas: number;
  readonly current: number;
  readonly selector: string;
}

/** What was found, or why nothing, in the words of Kubernetes' API. */
export type FoundScale =
  | { readonly ok: true; readonly scale: Scale }
  | { readonly ok: false; readonly reason: 'NoKind' | 'NoScale' | 'NoObject'; readonly why: string };

/** Reads and changes the number of replicas of whatever has one, custom resources included. */
export class ScaleTargets {
  readonly #deps: Pick<LoopDeps, 'view' | 'client'>;
  readonly #kinds: () => readonly KindSpec[];
  /** Asked for every change of the store, so it is found once for as long as the kinds are the same. */
  #scalable: { readonly of: readonly KindSpec[]; readonly ids: ReadonlySet<string> } | undefined;

  /** `kinds`: all that the API serves at the moment. */
  constructor(deps: Pick<LoopDeps, 'view' | 'client'>, kinds: () => readonly KindSpec[]) {
    this.#deps = deps;
    this.#kinds = kinds;
  }

  /** True for changes of objects with a scale. `id` is the kind of a change. */
  isScalable(id: string): boolean {
    const of = this.#kinds();
    if (this.#scalable?.of !== of) {
      const scalable = of.filter((spec) => scaleViewOf(spec) !== undefined);
      this.#scalable = { of, ids: new Set(scalable.map(storedId)) };
    }
    return this.#scalable.ids.has(id);
  }

  /** Never throws. */
  find(ref: ScaleRef, namespace: string): FoundScale {
    const group = groupOf(ref);
    const spec = this.#spec(ref);
    if (spec === undefined) {
      const why = `no matches for kind "${ref.kind}" in group "${group}"`;
      return { ok: false, reason: 'NoKind', why };
    }
    const scale = scaleViewOf(spec);
    const resource = group === '' ? spec.plural : `${spec.plural}.${group}`;
    if (scale === undefined) {
      const why = `${resource} does not implement the scale subresource`;
      return { ok: false, reason: 'NoScale', why };
    }
    const object = this.#deps.view.get(storedId(spec) as KindName, namespace, ref.name);
    if (object === undefined)
      return { ok: false, reason: 'NoObject', why: `${resource} "${ref.name}" not found` };
    const read = scale.read(spec.view?.fromStored(object) ?? object);
    return { ok: true, scale: { uid: object.metadata.uid, ...read } };
  }

  /** Writes `to` where there are still `from`; false when somebody else was quicker or the target is gone. Rejects with ApiError. */
  async set(ref: ScaleRef, namespace: string, from: number, to: number): Promise<boolean> {
    const spec = this.#spec(ref);
    const scale = spec === undefined ? undefined : scaleViewOf(spec);
    if (spec === undefined || scale === undefined) return false;
    let isDone = false;
    await this.#deps.client.modify(storedId(spec) as KindName, namespace, ref.name, (draft) => {
      const object: KubeObject = draft;
      const seen = spec.view?.fromStored(object) ?? object;
      isDone = scale.read(seen).replicas === from;
      if (!isDone) return false;
      const written = scale.write(seen, to);
      Object.assign(draft, spec.view?.toStored(written) ?? written);
      return true;
    });
    return isDone;
  }

  /** The kind of the reference's version, or of any version of its group. */
  #spec(ref: ScaleRef): KindSpec | undefined {
    const group = groupOf(ref);
    const version = (ref.apiVersion ?? '').split('/').at(-1);
    const found = this.#kinds().filter((spec) => spec.kind === ref.kind && spec.group === group);
    return found.find((spec) => spec.version === version) ?? found[0];
  }
}

const storedId = (spec: KindSpec): string => spec.view?.of ?? idOf(spec);

const groupOf = ({ apiVersion = '' }: ScaleRef): string =>
  apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
