/**
 * Calls `run` for every item, at most `limit` at a time, and waits for all. Rejects with the first failure once the others have
 * settled, so that nothing is still under way afterwards.
 */
export async function inParallel<T>(
  items: Iterable<T>,
  limit: number,
  run: (item: T) => Promise<unknown>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      try {
        await run(next.value);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
  if (failures.length > 0) throw failures[0];
}
