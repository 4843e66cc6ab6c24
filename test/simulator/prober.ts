/** How long answers take while something else goes on: durable writes, and the cheapest question there is, which shows the event loop. */
export class Prober {
  readonly writesMs: number[] = [];
  readonly livezMs: number[] = [];
  #isOn = true;
  readonly #ended: Promise<unknown>;

  constructor(write: (n: number) => Promise<unknown>, ask: () => Promise<unknown>) {
    this.#ended = Promise.all([this.#repeat(write, this.writesMs), this.#repeat(ask, this.livezMs)]);
  }

  /** Ends both; rejects when an answer was a refusal. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#ended;
  }

  async #repeat(run: (n: number) => Promise<unknown>, into: number[]): Promise<void> {
    for (let n = 1; this.#isOn; n++) {
      const sinceMs = performance.now();
      await run(n);
      into.push(performance.now() - sinceMs);
      // A client that thinks a little, so that the prober is not the storm.
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

const PAUSE_MS = 20;

/** The value below which `share` of all lie; 0 for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
