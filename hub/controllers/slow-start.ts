import { inParallel } from '../../kit/parallel.ts';

/**
 * Calls `run` `count` times in batches that double from `first` up to `most` at once, and begins no further batch after one in
 * which something failed: what the API refuses once it will refuse again, and a full quota must not cost one request per pod.
 * Rejects with the first failure once nothing is under way any more.
 */
export async function slowStart(
  count: number,
  { first, most }: { readonly first: number; readonly most: number },
  run: () => Promise<unknown>,
): Promise<void> {
  let left = count;
  for (let batch = Math.max(1, first); left > 0; batch *= 2) {
    const size = Math.min(batch, left, most);
    left -= size;
    await inParallel(Array(size).keys(), size, run);
  }
}
