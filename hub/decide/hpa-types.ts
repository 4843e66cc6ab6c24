import type { HorizontalPodAutoscaler } from '../../protocol/kinds/autoscaling.ts';

/** Status of an autoscaler as the hub writes it. */
export type HpaStatus = NonNullable<HorizontalPodAutoscaler['status']>;

/** What a pod, or one container of it, uses: thousandths of a core, or bytes. */
export interface PodUse {
  readonly amount: number;
  /** Until when the figure speaks, epoch ms of the hub. */
  readonly atMs: number;
  /** What it is averaged over. */
  readonly windowMs: number;
}

/** What one metric asks for, with what it is now; or why it cannot tell. */
export type MetricOutcome =
  | {
      readonly ok: true;
      readonly replicas: number;
      /** Whole percent of the request, where the metric is a share. */
      readonly percent: number | undefined;
      /** Average per pod. */
      readonly average: number;
    }
  | { readonly ok: false; readonly why: string; readonly noMetrics?: string };

/** A number that the metrics asked for, and until when they did (monotonic ms). */
export interface Recommendation {
  readonly replicas: number;
  readonly atMs: number;
}

/** A change of the target: positive up, negative down; monotonic ms. */
export interface ScaleEvent {
  readonly change: number;
  readonly atMs: number;
}

/** What an autoscaler remembers between looks; values only, replaced as a whole. */
export interface HpaMemory {
  readonly recommendations: readonly Recommendation[];
  readonly events: readonly ScaleEvent[];
}

/** Nothing remembered yet. */
export const NO_MEMORY: HpaMemory = { recommendations: [], events: [] };
