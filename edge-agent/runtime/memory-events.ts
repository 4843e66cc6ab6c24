/** Hands every event to every subscriber, in order; a subscriber that is slow holds nobody back. */
export class EventFan<T> {
  readonly #subscribers = new Set<(event: T | undefined) => void>();

  send(event: T): void {
    for (const subscriber of this.#subscribers) subscriber(event);
  }

  /** Ends every iteration. */
  end(): void {
    for (const subscriber of [...this.#subscribers]) subscriber(undefined);
  }

  /** Events from now on, until `end` or the signal. */
  subscribe(signal: AbortSignal): AsyncIterable<T> {
    const queue: (T | undefined)[] = [];
    let wake = (): void => undefined;
    const take = (event: T | undefined): void => {
      queue.push(event);
      wake();
    };
    const end = (): void => take(undefined);
    this.#subscribers.add(take);
    signal.addEventListener('abort', end, { once: true });
    const leave = (): void => {
      this.#subscribers.delete(take);
      signal.removeEventListener('abort', end);
    };
    return iterate(
      queue,
      (resolve) => {
        wake = resolve;
      },
      leave,
    );
  }
}

async function* iterate<T>(
  queue: (T | undefined)[],
  onWake: (resolve: () => void) => void,
  leave: () => void,
): AsyncGenerator<T> {
  try {
    for (;;) {
      if (queue.length === 0) await new Promise<void>((resolve) => onWake(resolve));
      const event = queue.shift();
      if (event === undefined) return;
      yield event;
    }
  } finally {
    leave();
  }
}
