/** `cox drill surge`: what a fleet does when many replicas are wanted at once, tried on pods of its own. */
import { randomBytes } from 'node:crypto';
import type { Pod } from '../protocol/kinds/pod.ts';
import { CliError } from './cli-error.ts';
import type { HubClient } from './hub-client.ts';
import { table } from './table.ts';

/** What to try. Seconds are wall time. */
export interface SurgeDrill {
  readonly from: number;
  readonly to: number;
  readonly image: string;
  readonly timeoutSeconds: number;
  /** Leaves the namespace with its pods for a closer look. */
  readonly keep: boolean;
}

/** Told while the drill runs: how many pods of how many are ready. */
export type Progress = (ready: number, wanted: number, seconds: number) => void;

const APP = 'surge';

/**
 * Starts `from` replicas in a namespace of its own, asks for `to`, waits until all are ready and goes back, then removes everything.
 * Resolves to the report. Throws CliError when a step takes too long, with what the pods wait for, or when it is interrupted.
 */
export async function surgeDrill(
  hub: HubClient,
  drill: SurgeDrill,
  tell: Progress,
  interrupted: AbortSignal,
): Promise<string> {
  const namespace = `cox-drill-${randomBytes(3).toString('hex')}`;
  await hub.ask('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  const crowd = new Crowd();
  const ending = new AbortController();
  const watching = hub.follow(
    `/api/v1/namespaces/${namespace}/pods?watch=true`,
    ({ type, object }) => crowd.see(type, object as Pod),
    ending.signal,
  );
  const steps = run(hub, namespace, drill, crowd, tell);
  // Whatever ends first ends the drill; what the others reject with afterwards is of no interest.
  steps.catch(() => undefined);
  watching.catch(() => undefined);
  const stopped = new Promise<never>((_, reject) => {
    interrupted.addEventListener('abort', () => reject(new CliError('interrupted')), { once: true });
  });
  try {
    await Promise.race([steps, watching, stopped]);
    return await steps;
  } finally {
    ending.abort();
    if (!drill.keep) await hub.ask('DELETE', `/api/v1/namespaces/${namespace}`);
  }
}

async function run(
  hub: HubClient,
  namespace: string,
  drill: SurgeDrill,
  crowd: Crowd,
  tell: Progress,
): Promise<string> {
  const { from, to, timeoutSeconds } = drill;
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const reach = async (wanted: number, act: () => Promise<unknown>): Promise<number[]> => {
    const sinceMs = performance.now();
    const reached = crowd.reach(wanted, timeoutSeconds, (ready) =>
      tell(ready, wanted, (performance.now() - sinceMs) / 1000),
    );
    await act();
    return (await reached).map((atMs) => (atMs - sinceMs) / 1000);
  };
  const scale = (replicas: number): Promise<unknown> =>
    hub.ask('PATCH', `${path}/${APP}/scale`, { spec: { replicas } });
  const first = await reach(from, () => hub.ask('POST', path, manifest(from, drill.image)));
  const surge = await reach(to, () => scale(to));
  const perNode = crowd.perNode();
  const back = await reach(from, () => scale(from));
  return report(drill, { first, surge, back, perNode, kept: drill.keep ? namespace : undefined });
}

interface Outcome {
  readonly first: readonly number[];
  readonly surge: readonly number[];
  readonly back: readonly number[];
  readonly perNode: readonly (readonly [string, number])[];
  readonly kept: string | undefined;
}

function report({ from, to, image }: SurgeDrill, { first, surge, back, perNode, kept }: Outcome): string {
  const last = (times: readonly number[]): number => times.at(-1) ?? 0;
  const at = (share: number): number => surge[Math.ceil(surge.length * share) - 1] ?? 0;
  const seconds = (value: number): string => `${value.toFixed(1)} s`;
  const rate = ((to - from) / Math.max(0.001, last(surge))).toFixed(1);
  const lines = [
    `${from} -> ${to} -> ${from} replicas of ${image}`,
    '',
    table(
      ['STEP', 'ALL READY', 'HALF', '9 OF 10', 'PODS/S'],
      [
        [`start ${from}`, seconds(last(first)), '', '', ''],
        [`${from} -> ${to}`, seconds(last(surge)), seconds(at(0.5)), seconds(at(0.9)), rate],
        [`${to} -> ${from}`, seconds(last(back)), '', '', ''],
      ],
    ),
    '',
    table(
      ['NODE', 'PODS'],
      perNode.map(([node, pods]) => [node, String(pods)]),
    ),
  ];
  if (kept !== undefined)
    lines.push('', `Kept in namespace ${kept}; remove it with: kubectl delete namespace ${kept}`);
  return lines.join('\n');
}

/** The pods of the drill as the watch shows them. */
class Crowd {
  readonly #pods = new Map<string, Pod>();
  readonly #readyAtMs = new Map<string, number>();
  #onChange: () => void = () => undefined;

  see(type: string, pod: Pod): void {
    const { uid, deletionTimestamp } = pod.metadata;
    const counts = type !== 'DELETED' && deletionTimestamp === undefined;
    if (type === 'DELETED') this.#pods.delete(uid);
    else this.#pods.set(uid, pod);
    if (counts && isReady(pod)) this.#readyAtMs.set(uid, this.#readyAtMs.get(uid) ?? performance.now());
    else this.#readyAtMs.delete(uid);
    this.#onChange();
  }

  /**
   * Waits until exactly `wanted` pods are ready and no other is left; resolves to when those that became ready meanwhile did, and
   * the end, in order.
   */
  reach(wanted: number, timeoutSeconds: number, tell: (ready: number) => void): Promise<number[]> {
    const sinceMs = performance.now();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new CliError(this.#whyNot(wanted, timeoutSeconds))),
        timeoutSeconds * 1000,
      );
      const look = (): void => {
        tell(this.#readyAtMs.size);
        if (this.#readyAtMs.size !== wanted || this.#active() !== wanted) return;
        clearTimeout(timer);
        this.#onChange = () => undefined;
        const fresh = [...this.#readyAtMs.values()].filter((atMs) => atMs >= sinceMs);
        resolve([...fresh, performance.now()].sort((a, b) => a - b));
      };
      this.#onChange = look;
      look(); // None wanted and none there: no event would come.
    });
  }

  perNode(): [string, number][] {
    const counts = new Map<string, number>();
    for (const { spec, metadata } of this.#pods.values())
      if (spec.nodeName !== undefined && metadata.deletionTimestamp === undefined)
        counts.set(spec.nodeName, (counts.get(spec.nodeName) ?? 0) + 1);
    return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #active(): number {
    return [...this.#pods.values()].filter((pod) => pod.metadata.deletionTimestamp === undefined).length;
  }

  /** What the pods that are not ready wait for, the most frequent first. */
  #whyNot(wanted: number, timeoutSeconds: number): string {
    const reasons = new Map<string, number>();
    for (const pod of this.#pods.values()) {
      if (this.#readyAtMs.has(pod.metadata.uid)) continue;
      const why = waitingFor(pod);
      reasons.set(why, (reasons.get(why) ?? 0) + 1);
    }
    const list = [...reasons].sort(([, a], [, b]) => b - a).map(([why, n]) => `  ${n} x ${why}`);
    const head = `${this.#readyAtMs.size} of ${wanted} pods ready after ${timeoutSeconds} s; the others wait:`;
    return [head, ...list, 'Give it longer with --timeout, or see what is there with --keep.'].join('\n');
  }
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

function waitingFor({ spec, status, metadata }: Pod): string {
  if (metadata.deletionTimestamp !== undefined) return 'being deleted';
  const unscheduled = status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'False');
  if (unscheduled !== undefined) return unscheduled.message ?? 'not scheduled';
  const waiting = status?.containerStatuses?.find((c) => c.state?.waiting !== undefined)?.state?.waiting;
  return waiting?.reason ?? (spec.nodeName === undefined ? 'not scheduled yet' : 'starting');
}

function manifest(replicas: number, image: string): object {
  const labels = { app: APP };
  const container = {
    name: 'main',
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['sleep', '1000000'],
    resources: { requests: { cpu: '10m', memory: '8Mi' } },
  };
  return {
    metadata: { name: APP, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 1, containers: [container] },
      },
    },
  };
}
