import type { Job } from '../../protocol/kinds/batch.ts';
import type { Container, EnvVar, Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import type { NewObject } from '../cluster.ts';
import { COMPLETION_INDEX, INDEX_FAILURES, INDEX_IGNORED, JOB_TRACKING } from '../decide/job-facts.ts';
import type { NewJobPod } from '../decide/job-pods.ts';
import { podFromTemplate } from './pod-control.ts';

const INDEX_ENV = 'JOB_COMPLETION_INDEX';

/**
 * A pod of the job, with the finalizer that keeps it until its end is counted. Of an Indexed job it knows its index as
 * annotation, label, environment variable and host name.
 */
export function jobPod(job: Job, { index, failures, ignored = 0 }: NewJobPod): NewObject<Pod> {
  const pod = podFromTemplate(job, job.spec.template);
  const { metadata } = pod;
  const finalizers = [...(metadata.finalizers ?? []), JOB_TRACKING];
  if (index === undefined) return { ...pod, metadata: { ...metadata, finalizers } };
  const own = {
    [COMPLETION_INDEX]: String(index),
    ...(failures === undefined ? {} : { [INDEX_FAILURES]: String(failures) }),
    ...(ignored > 0 ? { [INDEX_IGNORED]: String(ignored) } : {}),
  };
  return {
    ...pod,
    metadata: {
      ...metadata,
      generateName: `${job.metadata.name}-${index}-`,
      labels: { ...metadata.labels, [COMPLETION_INDEX]: String(index) },
      annotations: { ...metadata.annotations, ...own },
      finalizers,
    },
    spec: indexedSpec(pod.spec, `${job.metadata.name}-${index}`),
  };
}

function indexedSpec(spec: PodSpec, hostname: string): PodSpec {
  return {
    ...spec,
    hostname: spec.hostname || hostname,
    containers: spec.containers.map(withIndex),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(withIndex) }),
  };
}

function withIndex(container: Container): Container {
  if (container.env?.some((entry) => entry.name === INDEX_ENV)) return container;
  const fieldPath = `metadata.annotations['${COMPLETION_INDEX}']`;
  const entry: EnvVar = { name: INDEX_ENV, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } };
  return { ...container, env: [...(container.env ?? []), entry] };
}
