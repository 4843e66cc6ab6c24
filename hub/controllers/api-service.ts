import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { jsonEqual } from '../../protocol/json.ts';
import type { Change } from '../cluster.ts';
import {
  type ApiPlace,
  apiServiceSpec,
  apiSlice,
  apiSubsets,
  API_SERVICE as NAME,
} from '../decide/api-service.ts';
import { isApiError, type Loop, type LoopDeps, loopQueue } from '../loop.ts';
import { controllerDeps } from './object-loop.ts';

const NAMESPACE = 'default';
const KINDS = ['Service', 'Endpoints', 'EndpointSlice'] as const;
type Kind = (typeof KINDS)[number];

/**
 * Keeps the Service `kubernetes` in `default`, its Endpoints and its EndpointSlice at where the API is reached: by them programs that
 * look for endpoints find the hub itself. Whoever deletes or changes them gets them back.
 */
export class ApiServiceController implements Loop {
  readonly #deps: LoopDeps;
  readonly #place: ApiPlace;
  readonly #queue: KeyedQueue;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, place: ApiPlace) {
    this.#deps = controllerDeps(deps, 'api-service');
    this.#place = place;
    const ensure: Readonly<Record<string, () => Promise<unknown>>> = {
      Service: () => this.#service(),
      Endpoints: () => this.#endpoints(),
      EndpointSlice: () => this.#slice(),
    };
    this.#queue = loopQueue(async (kind) => void (await ensure[kind]?.()), this.#deps, KINDS.length);
  }

  start(signal: AbortSignal): void {
    this.#unsubscribe = this.#deps.view.subscribe((change) => this.#onChange(change));
    for (const kind of KINDS) this.#queue.add(kind);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  #onChange({ kind, object: { metadata } }: Change): void {
    if (metadata.name !== NAME || metadata.namespace !== NAMESPACE) return;
    if (KINDS.includes(kind as Kind)) this.#queue.add(kind);
  }

  async #service(): Promise<void> {
    const { view, client } = this.#deps;
    const spec = apiServiceSpec(this.#place);
    const present = view.get('Service', NAMESPACE, NAME);
    const labels = { component: 'apiserver', provider: 'kubernetes' };
    const metadata = { name: NAME, namespace: NAMESPACE, labels };
    if (present === undefined) {
      const { clusterIP: _kept, ...anyAddress } = spec;
      // The kept address may be taken in data from before it was kept.
      await client.create('Service', { metadata, spec }).catch(async (error: unknown) => {
        if (!isApiError(error, 'Invalid')) throw error;
        await client.create('Service', { metadata, spec: anyAddress });
      });
    } else if (!jsonEqual(present.spec.ports, spec.ports))
      await client.modify('Service', NAMESPACE, NAME, (draft) => {
        draft.spec.ports = spec.ports ?? [];
        return true;
      });
  }

  async #endpoints(): Promise<void> {
    const { view, client } = this.#deps;
    const subsets = apiSubsets(this.#place);
    const present = view.get('Endpoints', NAMESPACE, NAME);
    const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
    if (present === undefined) {
      if (subsets.length === 0) return;
      await client.create('Endpoints', { metadata: { name: NAME, namespace: NAMESPACE, labels }, subsets });
    } else if (!jsonEqual(present.subsets ?? [], subsets))
      await client.modify('Endpoints', NAMESPACE, NAME, (draft) => {
        draft.subsets = subsets;
        return true;
      });
  }

  async #slice(): Promise<void> {
    const { view, client } = this.#deps;
    const { endpoints, ports } = apiSlice(this.#place);
    const present = view.get('EndpointSlice', NAMESPACE, NAME);
    const labels = { 'kubernetes.io/service-name': NAME };
    if (present === undefined) {
      if (endpoints.length === 0) return;
      const metadata = { name: NAME, namespace: NAMESPACE, labels };
      await client.create('EndpointSlice', { metadata, addressType: 'IPv4', endpoints, ports });
    } else if (!jsonEqual(present.endpoints ?? [], endpoints) || !jsonEqual(present.ports, ports))
      await client.modify('EndpointSlice', NAMESPACE, NAME, (draft) => {
        draft.endpoints = endpoints;
        draft.ports = ports;
        return true;
      });
  }
}
