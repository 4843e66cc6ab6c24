import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';

interface SeenPod {
  readonly app: string;
  readonly name: string;
  readonly image: string;
  readonly node: string | undefined;
  readonly ip: string | undefined;
  readonly ready: boolean;
  readonly ending: boolean;
}

const isTrue = (conditions: readonly { type: string; status: string }[] | undefined, type: string): boolean =>
  conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

/**
 * What the watches have shown so far, counted as it comes. `broken` holds what must never be seen: a pod that changes its node,
 * an app with fewer ready pods than its floor.
 */
export class Ledger {
  readonly readyNodes = new Set<string>();
  readonly broken: string[] = [];
  /** How often the watch of pods was cut off. */
  restarts = 0;
  readonly #pods = new Map<string, SeenPod>();
  readonly #ready = new Map<string, number>();
  readonly #count = new Map<string, number>();
  readonly #floors = new Map<string, number>();

  seeNode(type: string, node: Node): void {
    const { name } = node.metadata;
    if (type !== 'DELETED' && isTrue(node.status?.conditions, 'Ready')) this.readyNodes.add(name);
    else this.readyNodes.delete(name);
  }

  seePod(type: string, pod: Pod): void {
    const { uid } = pod.metadata;
    const before = this.#pods.get(uid);
    if (before !== undefined) this.#tally(before, -1);
    if (type === 'DELETED') {
      this.#pods.delete(uid);
      this.#checkFloor(before?.app);
    } else this.#take(pod, before);
  }

  #take(pod: Pod, before: SeenPod | undefined): void {
    const { uid, name, labels, deletionTimestamp } = pod.metadata;
    const seen: SeenPod = {
      app: labels?.['app'] ?? '',
      name,
      image: pod.spec.containers[0]?.image ?? '',
      node: pod.spec.nodeName,
      ip: pod.status?.podIP,
      ready: isTrue(pod.status?.conditions, 'Ready'),
      ending: deletionTimestamp !== undefined,
    };
    if (before?.node !== undefined && before.node !== seen.node)
      this.broken.push(`${name} went from ${before.node} to ${seen.node}`);
    this.#pods.set(uid, seen);
    this.#tally(seen, 1);
    this.#checkFloor(seen.app);
  }

  /** The watch begins anew: everything there is will come again. What was promised cannot be checked meanwhile. */
  forgetPods(): void {
    this.restarts += 1;
    this.#pods.clear();
    this.#ready.clear();
    this.#count.clear();
    this.#floors.clear();
  }

  /** From now on the app must never have fewer ready pods. */
  setFloor(app: string, ready: number): void {
    this.#floors.set(app, ready);
  }

  clearFloor(app: string): void {
    this.#floors.delete(app);
  }

  /** Pods that are ready and not being deleted; of one image when given. */
  readyOf(app: string, image = ''): number {
    return this.#ready.get(`${app} ${image}`) ?? 0;
  }

  /** Pods that are not being deleted. */
  countOf(app: string): number {
    return this.#count.get(app) ?? 0;
  }

  /** Pods there are, those being deleted included. */
  get total(): number {
    return this.#pods.size;
  }

  /** Uids of the pods on nodes other than these. */
  uidsNotOn(nodes: ReadonlySet<string>): Set<string> {
    const staying = [...this.#pods].filter(([, pod]) => pod.node !== undefined && !nodes.has(pod.node));
    return new Set(staying.map(([uid]) => uid));
  }

  /** How many of the live pods each node has. */
  perNode(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { node, ending } of this.#pods.values())
      if (node !== undefined && !ending) counts.set(node, (counts.get(node) ?? 0) + 1);
    return counts;
  }

  /** Addresses that more than one live pod has. */
  sharedAddresses(): string[] {
    const owners = new Map<string, number>();
    for (const { ip, ready, ending } of this.#pods.values())
      if (ip !== undefined && ready && !ending) owners.set(ip, (owners.get(ip) ?? 0) + 1);
    return [...owners].filter(([, count]) => count > 1).map(([ip]) => ip);
  }

  summary(): string {
    const apps = [...this.#count].map(([app, n]) => `${app}: ${this.readyOf(app)} of ${n} ready`);
    return `${this.readyNodes.size} nodes ready, ${apps.join(', ')}`;
  }

  #tally({ app, image, ready, ending }: SeenPod, step: 1 | -1): void {
    if (ending) return;
    this.#count.set(app, (this.#count.get(app) ?? 0) + step);
    if (!ready) return;
    for (const key of [`${app} `, `${app} ${image}`])
      this.#ready.set(key, (this.#ready.get(key) ?? 0) + step);
  }

  #checkFloor(app: string | undefined): void {
    const floor = app === undefined ? undefined : this.#floors.get(app);
    if (app === undefined || floor === undefined || this.readyOf(app) >= floor) return;
    this.broken.push(`${app} had ${this.readyOf(app)} ready pods, at least ${floor} were promised`);
    this.#floors.delete(app); // once is enough to tell
  }
}
