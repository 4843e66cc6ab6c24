/** Disruption budgets with their controller, and pods of a played device, for tests of evictions. */
import { DisruptionController } from '../../hub/controllers/disruption.ts';
import { ScaleTargets } from '../../hub/controllers/scale-targets.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

/** A hub whose budgets are kept, with the node worker-1. */
export class BudgetWorld {
  readonly hub: TestHub;
  readonly #controller: DisruptionController;

  private constructor(hub: TestHub) {
    this.hub = hub;
    const { deps } = hub.store;
    this.#controller = new DisruptionController(deps, new ScaleTargets(deps, () => kinds));
    this.#controller.start(new AbortController().signal);
  }

  static async start(): Promise<BudgetWorld> {
    const hub = await startHub();
    await hub.put(readyNode('worker-1'));
    return new BudgetWorld(hub);
  }

  async stop(): Promise<void> {
    await this.#controller.stop();
    await this.hub.stop();
  }

  /** A budget named like the app it is for, unless `name` says otherwise. */
  async budget(app: string, spec: object, name = app): Promise<void> {
    await this.hub.put({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name, namespace: 'default' },
      spec: { selector: { matchLabels: { app } }, ...spec },
    });
  }

  pods(app: string): Pod[] {
    const all = this.hub.store.port.listObjects('Pod', 'default').items as Pod[];
    return all.filter((p) => p.metadata.labels?.['app'] === app);
  }

  /** Ready and not being deleted. */
  serving(app: string): Pod[] {
    const isReady = (pod: Pod): boolean =>
      pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
    return this.pods(app).filter((p) => p.metadata.deletionTimestamp === undefined && isReady(p));
  }

  /** Disruptions that a budget allows at the moment. */
  allowed(name: string): number | undefined {
    const pdb = this.hub.store.port.getObject('PodDisruptionBudget', 'default', name);
    return (pdb as PodDisruptionBudget | undefined)?.status?.disruptionsAllowed;
  }

  /** The device stops what is being deleted and confirms; `replace` brings a new pod for each. Returns the way to stop. */
  playDevice(app: string, replace: boolean): () => void {
    const { port } = this.hub.store;
    let made = 0;
    return port.watch('Pod', port.revision, ({ object, type }) => {
      const { name, uid, labels, deletionTimestamp } = object.metadata;
      if (labels?.['app'] !== app || type === 'deleted' || deletionTimestamp === undefined) return;
      // Told again of the same pod, it is gone already.
      void port.deleteObject('Pod', 'default', name, { uid, gracePeriodSeconds: 0 }).catch(() => undefined);
      // One that is evicted before its status is written is replaced in its turn.
      if (replace) void this.hub.put(podOf(app, `${app}-new-${made++}`)).catch(() => undefined);
    });
  }

  /** Fewest serving pods of the app from now until the returned function is called, which gives them. */
  countFewest(app: string): () => number {
    const { port } = this.hub.store;
    let fewest = this.serving(app).length;
    const stop = port.watch('Pod', port.revision, () => {
      fewest = Math.min(fewest, this.serving(app).length);
    });
    return () => {
      stop();
      return fewest;
    };
  }
}

/** A Running pod of an app; `status` and `spec` are merged in. */
export function podOf(app: string, name: string, status: object = {}, podSpec: object = {}): object {
  const made = runningPod(name, 'worker-1') as Record<string, Record<string, object>>;
  return {
    ...made,
    metadata: { ...made['metadata'], labels: { app } },
    spec: { ...made['spec'], ...podSpec },
    status: { ...made['status'], ...status },
  };
}

/** Waits until a condition holds, 10 s at most. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`never came true: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
