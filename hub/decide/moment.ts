import type { Time } from '../../protocol/kinds/meta.ts';

/** One instant of the hub's wall clock, handed in by the caller because decisions read no clock. */
export interface Moment {
  /** Epoch ms. */
  readonly atMs: number;
  /** The same instant as Kubernetes writes it. */
  readonly time: Time;
}
