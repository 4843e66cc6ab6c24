/** What a watch of `kubectl` sees of an app's pods from now on: what must hold at every moment, not only when somebody looks. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Lab } from './lab.ts';

const FIELDS = [
  '.type',
  '.object.metadata.name',
  '.object.status.conditions[?(@.type=="Ready")].status',
  '.object.metadata.deletionTimestamp',
  '.object.metadata.annotations.coxswain\\.dev/moving',
];

interface Seen {
  readonly ready: boolean;
  readonly terminating: boolean;
  readonly moving: boolean;
}

/** The extremes since the watch began. */
export class PodWatch {
  /** The least pods that were Ready and not on their way out. */
  leastReady = Number.POSITIVE_INFINITY;
  /** The most pods that were not on their way out. */
  mostPods = 0;
  /** The most that carried the mark of a move at a time. */
  mostMoving = 0;
  /** Every name that was ever marked. */
  readonly moved = new Set<string>();
  readonly #pods = new Map<string, Seen>();
  readonly #process: ChildProcessWithoutNullStreams;

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process;
  }

  /** Begins to watch, and resolves once all of the `count` pods there are were seen Ready. */
  static async start(lab: Lab, app: string, namespace: string, count: number): Promise<PodWatch> {
    const path = FIELDS.map((field) => `{${field}}`).join('|');
    const child = lab.stream(
      'kubectl',
      ...['--kubeconfig', lab.kubeconfig, '-n', namespace, 'get', 'pods', '-l', `app=${app}`],
      ...['--watch', '--output-watch-events', '-o', `jsonpath=${path}{"\\n"}`],
    );
    const watch = new PodWatch(child);
    createInterface(child.stdout).on('line', (line) => watch.#take(line));
    await lab.eventually(() => watch.#count((p) => p.ready && !p.terminating) === count, {
      withinMs: 15_000,
    });
    watch.leastReady = count;
    return watch;
  }

  stop(): void {
    this.#process.kill('SIGTERM');
  }

  #take(line: string): void {
    const [type, name = '', ready, deleted, moving] = line.split('|');
    if (type === 'DELETED') this.#pods.delete(name);
    else
      this.#pods.set(name, { ready: ready === 'True', terminating: deleted !== '', moving: moving !== '' });
    if (moving !== '') this.moved.add(name);
    this.leastReady = Math.min(
      this.leastReady,
      this.#count((p) => p.ready && !p.terminating),
    );
    this.mostPods = Math.max(
      this.mostPods,
      this.#count((p) => !p.terminating),
    );
    this.mostMoving = Math.max(
      this.mostMoving,
      this.#count((p) => p.moving && !p.terminating),
    );
  }

  #count(holds: (pod: Seen) => boolean): number {
    return [...this.#pods.values()].filter(holds).length;
  }
}
