import { readFile } from 'node:fs/promises';
import type { Clock, Timer } from '../../kit/clock.ts';
import { writeFileDurably } from '../../kit/durable-file.ts';

/**
 * A clock whose wall time is never below the last time the device has known. A board without a clock battery boots in 1970;
 * until NTP or the hub tells better, time goes on from where it was. Durations are the base clock's.
 */
export class FlooredClock implements Clock {
  readonly #base: Clock;
  #floor: { readonly atMs: number; readonly sinceMs: number };

  constructor(base: Clock, floorMs = 0) {
    this.#base = base;
    this.#floor = { atMs: floorMs, sinceMs: base.monotonicMs() };
  }

  nowMs(): number {
    return Math.max(this.#base.nowMs(), this.#floorMs());
  }

  monotonicMs(): number {
    return this.#base.monotonicMs();
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#base.after(delayMs, run);
  }

  /** It is at least this late: a time noted before, or the begin of the own certificate's life. */
  raise(atMs: number): void {
    if (atMs > this.#floorMs()) this.#set(atMs);
  }

  /** The hub, proved by its certificate, has this time: better than any guess of ours, so that a false floor can heal. */
  learn(atMs: number): void {
    this.#set(atMs);
  }

  #floorMs(): number {
    return this.#floor.atMs + this.#base.monotonicMs() - this.#floor.sinceMs;
  }

  #set(atMs: number): void {
    this.#floor = { atMs, sinceMs: this.#base.monotonicMs() };
  }
}

/** The time noted in the file at the last clean stop, epoch ms; 0 when there is none or it cannot be read. */
export async function readNotedTime(path: string): Promise<number> {
  try {
    const atMs = Number((await readFile(path, 'utf8')).trim());
    return Number.isFinite(atMs) && atMs > 0 ? atMs : 0;
  } catch {
    return 0; // Never stopped cleanly yet; the cache has noted a time of its own.
  }
}

/** Notes the time. Meant for a clean stop only: while running, the cache notes it with its own writes. */
export async function noteTime(path: string, atMs: number): Promise<void> {
  await writeFileDurably(path, `${Math.round(atMs)}\n`, { mode: 0o644 });
}
