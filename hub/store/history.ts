import { ApiError } from '../../protocol/status.ts';
import type { Change } from '../cluster.ts';

/** How much past is kept per kind for watches that resume. */
export interface HistoryLimits {
  readonly changes: number;
  /** Approximate memory of the states that only the history holds. */
  readonly bytes: number;
}

interface Ring {
  /** Live entries start at `head`; the part before is cut off now and then. */
  entries: { change: Change; bytes: number }[];
  head: number;
  bytes: number;
  /** Revision of the newest change that is no longer here. */
  droppedThrough: number;
}

/** The newest changes of every kind, in revision order. */
export class History {
  readonly #limits: HistoryLimits;
  readonly #floor: number;
  readonly #rings = new Map<string, Ring>();

  /** Knows nothing of revisions up to `floor`, those of before the start. */
  constructor(floor: number, limits: HistoryLimits) {
    this.#floor = floor;
    this.#limits = limits;
  }

  add(change: Change, bytes: number): void {
    let ring = this.#rings.get(change.kind);
    if (ring === undefined) {
      ring = { entries: [], head: 0, bytes: 0, droppedThrough: this.#floor };
      this.#rings.set(change.kind, ring);
    }
    ring.entries.push({ change, bytes });
    ring.bytes += bytes;
    while (ring.entries.length - ring.head > this.#limits.changes || ring.bytes > this.#limits.bytes) {
      const oldest = ring.entries[ring.head];
      if (oldest === undefined) break;
      ring.head += 1;
      ring.bytes -= oldest.bytes;
      ring.droppedThrough = oldest.change.revision;
    }
    if (ring.head > 64 && ring.head > ring.entries.length / 2) {
      ring.entries = ring.entries.slice(ring.head);
      ring.head = 0;
    }
  }

  /** Changes after `revision` of a kind, or of all, in order. Throws ApiError Expired when some of them are gone. */
  since(kind: string | undefined, revision: number): Change[] {
    const rings = kind === undefined ? [...this.#rings.values()] : [this.#rings.get(kind)];
    const known = rings.filter((ring) => ring !== undefined);
    const droppedThrough = Math.max(this.#floor, ...known.map((ring) => ring.droppedThrough));
    if (revision < droppedThrough)
      throw new ApiError('Expired', `too old resource version: ${revision} (${droppedThrough})`);
    const changes = known.flatMap((ring) => after(ring, revision));
    return known.length > 1 ? changes.sort((a, b) => a.revision - b.revision) : changes;
  }
}

function after(ring: Ring, revision: number): Change[] {
  let from = ring.entries.length;
  while (from > ring.head && (ring.entries[from - 1]?.change.revision ?? 0) > revision) from -= 1;
  return ring.entries.slice(from).map((entry) => entry.change);
}
