import { toMicroTime } from '../../kit/clock.ts';
import { isApiError, type LoopDeps } from '../loop.ts';

const NAMESPACE = 'kube-node-lease';
/** People look at leases, the hub does not: a coarse renewal spares the process. */
const RENEW_MS = 10_000;

/** Shows in kube-node-lease when devices were last heard. These Leases are memory only; losing one write means nothing. */
export class LeaseKeeper {
  readonly #deps: LoopDeps;
  readonly #renewedAtMs = new Map<string, number>();

  constructor(deps: LoopDeps) {
    this.#deps = deps;
  }

  /** The node was heard; renews its lease when the last renewal is old enough. */
  heard(node: string, leaseMs: number): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const lastMs = this.#renewedAtMs.get(node);
    if (lastMs !== undefined && nowMs - lastMs < RENEW_MS) return;
    this.#renewedAtMs.set(node, nowMs);
    this.#renew(node, leaseMs).catch((err: unknown) => {
      // Safe: the next heartbeat after RENEW_MS tries again, and no decision reads leases.
      this.#deps.log.debug('lease not renewed', { node, err });
    });
  }

  async #renew(node: string, leaseMs: number): Promise<void> {
    const { view, client, clock } = this.#deps;
    const owner = view.get('Node', '', node);
    if (owner === undefined) {
      // It is being registered: its next message makes the lease.
      this.#renewedAtMs.delete(node);
      return;
    }
    const renewTime = toMicroTime(clock.nowMs());
    const spec = {
      holderIdentity: node,
      leaseDurationSeconds: Math.max(1, Math.round(leaseMs / 1000)),
      renewTime,
    };
    const renewed = await client.modify('Lease', NAMESPACE, node, (draft) => {
      draft.spec = { ...draft.spec, ...spec };
      return true;
    });
    if (renewed !== undefined) return;
    const { uid } = owner.metadata;
    try {
      await client.create('Lease', {
        metadata: {
          name: node,
          namespace: NAMESPACE,
          ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node, uid }],
        },
        spec: { ...spec, acquireTime: renewTime, leaseTransitions: 0 },
      });
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  }
}
