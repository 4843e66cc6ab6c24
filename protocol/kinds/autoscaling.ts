import type { Condition, KubeObject, LabelSelector, Quantity, Time } from './meta.ts';

/** Names the object whose `/scale` an autoscaler changes. */
export interface ScaleTargetRef {
  kind: string;
  name: string;
  apiVersion?: string;
}

/** What a metric should be, or is: one of the amounts. */
export interface MetricTarget {
  type?: 'Utilization' | 'Value' | 'AverageValue';
  value?: Quantity;
  averageValue?: Quantity;
  averageUtilization?: number;
}

interface MetricIdentifier {
  name: string;
  selector?: LabelSelector;
}

/** One metric to scale on; `type` names the member that is set. */
export interface MetricSpec {
  type: 'Resource' | 'ContainerResource' | 'Pods' | 'Object' | 'External';
  resource?: { name: string; target: MetricTarget };
  containerResource?: { name: string; container: string; target: MetricTarget };
  pods?: { metric: MetricIdentifier; target: MetricTarget };
  object?: { describedObject: ScaleTargetRef; metric: MetricIdentifier; target: MetricTarget };
  external?: { metric: MetricIdentifier; target: MetricTarget };
}

/** The present amount of a metric. */
export interface MetricStatus {
  type: MetricSpec['type'];
  resource?: { name: string; current: MetricTarget };
  containerResource?: { name: string; container: string; current: MetricTarget };
  pods?: { metric: MetricIdentifier; current: MetricTarget };
  object?: { describedObject: ScaleTargetRef; metric: MetricIdentifier; current: MetricTarget };
  external?: { metric: MetricIdentifier; current: MetricTarget };
}

/** How fast one direction may go. */
export interface ScalingRules {
  stabilizationWindowSeconds?: number;
  selectPolicy?: 'Max' | 'Min' | 'Disabled';
  /** Relative distance from the aim that is let be; a tenth when absent. */
  tolerance?: string | number;
  policies?: { type: 'Pods' | 'Percent'; value: number; periodSeconds: number }[];
}

/** autoscaling/v2, the version that is stored. */
export interface HorizontalPodAutoscaler extends KubeObject {
  kind: 'HorizontalPodAutoscaler';
  spec: {
    scaleTargetRef: ScaleTargetRef;
    minReplicas?: number;
    maxReplicas: number;
    metrics?: MetricSpec[];
    behavior?: { scaleUp?: ScalingRules; scaleDown?: ScalingRules };
  };
  status?: {
    observedGeneration?: number;
    lastScaleTime?: Time;
    currentReplicas?: number;
    desiredReplicas: number;
    currentMetrics?: MetricStatus[];
    conditions?: Condition[];
  };
}

/** autoscaling/v1: the CPU share has a field of its own, other metrics travel in an annotation. */
export interface HorizontalPodAutoscalerV1 extends KubeObject {
  kind: 'HorizontalPodAutoscaler';
  spec: {
    scaleTargetRef: ScaleTargetRef;
    minReplicas?: number;
    maxReplicas: number;
    targetCPUUtilizationPercentage?: number;
  };
  status?: {
    observedGeneration?: number;
    lastScaleTime?: Time;
    currentReplicas: number;
    desiredReplicas: number;
    currentCPUUtilizationPercentage?: number;
  };
}
