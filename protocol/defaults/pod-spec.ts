import type { Loose } from '../kinds/loose.ts';
import type {
  Container,
  DownwardAPIItem,
  EnvVar,
  LifecycleHandler,
  PodSpec,
  Probe,
  Volume,
  VolumeProjection,
} from '../kinds/pod.ts';

/** Mode of files made from config maps, secrets and pod fields: 0644. */
const FILE_MODE = 0o644;

/** Fills in what Kubernetes fills in on every pod spec, of pods as of templates. Changes its argument; never throws. */
export function defaultPodSpec(spec: Loose<PodSpec>): void {
  spec.restartPolicy ??= 'Always';
  spec.terminationGracePeriodSeconds ??= 30;
  if (spec.terminationGracePeriodSeconds < 0) spec.terminationGracePeriodSeconds = 1;
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.securityContext ??= {};
  spec.schedulerName ??= 'default-scheduler';
  spec.containers ??= [];
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of allContainers(spec)) defaultContainer(container);
}

/** What only pods get, templates do not: requests from limits, host ports on the host network, service links. */
export function defaultPodOnly(spec: Loose<PodSpec>): void {
  spec.enableServiceLinks ??= true;
  for (const container of allContainers(spec)) {
    for (const [name, limit] of Object.entries(container.resources?.limits ?? {}))
      defaultRequest(container, name, limit);
    if (spec.hostNetwork === true)
      for (const port of container.ports ?? []) if (port.containerPort) port.hostPort ??= port.containerPort;
  }
}

function defaultRequest(container: Loose<Container>, name: string, limit: string | undefined): void {
  if (limit === undefined) return;
  container.resources ??= {};
  container.resources.requests ??= {};
  if (!Object.hasOwn(container.resources.requests, name)) container.resources.requests[name] = limit;
}

function allContainers(spec: Loose<PodSpec>): Loose<Container>[] {
  return [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...((spec.ephemeralContainers ?? []) as Loose<Container>[]),
  ];
}

function defaultContainer(container: Loose<Container>): void {
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  container.imagePullPolicy ??= isMovingImage(container.image ?? '') ? 'Always' : 'IfNotPresent';
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ??= 'TCP';
  for (const variable of container.env ?? []) defaultEnv(variable);
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe !== undefined) defaultProbe(probe);
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop])
    if (handler !== undefined) defaultHttpGet(handler);
}

/** True for an image whose name can mean another image tomorrow: no tag, or `latest`, and no digest. */
export function isMovingImage(image: string): boolean {
  if (image.includes('@')) return false;
  const last = image.slice(image.lastIndexOf('/') + 1);
  const colon = last.lastIndexOf(':');
  return colon < 0 || last.slice(colon + 1) === 'latest';
}

function defaultEnv(variable: Loose<EnvVar>): void {
  const source = variable.valueFrom;
  if (source?.fieldRef !== undefined) source.fieldRef.apiVersion ??= 'v1';
  if (source?.resourceFieldRef !== undefined) source.resourceFieldRef.divisor ??= '0';
}

function defaultProbe(probe: Loose<Probe>): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.grpc !== undefined) probe.grpc.service ??= '';
  defaultHttpGet(probe);
}

function defaultHttpGet(handler: Loose<Probe> | Loose<LifecycleHandler>): void {
  if (handler.httpGet === undefined) return;
  handler.httpGet.path ||= '/';
  handler.httpGet.scheme ??= 'HTTP';
}

function defaultVolume(volume: Loose<Volume>): void {
  const hasSource = Object.entries(volume).some(([name, value]) => name !== 'name' && value !== undefined);
  if (!hasSource) volume.emptyDir = {};
  if (volume.hostPath !== undefined) volume.hostPath.type ??= '';
  if (volume.configMap !== undefined) volume.configMap.defaultMode ??= FILE_MODE;
  if (volume.secret !== undefined) volume.secret.defaultMode ??= FILE_MODE;
  if (volume.downwardAPI !== undefined) {
    volume.downwardAPI.defaultMode ??= FILE_MODE;
    defaultDownward(volume.downwardAPI.items);
  }
  if (volume.projected !== undefined) {
    volume.projected.defaultMode ??= FILE_MODE;
    for (const source of volume.projected.sources ?? []) defaultProjection(source);
  }
}

function defaultProjection(source: Loose<VolumeProjection>): void {
  defaultDownward(source.downwardAPI?.items);
  if (source.serviceAccountToken !== undefined) source.serviceAccountToken.expirationSeconds ??= 3600;
}

function defaultDownward(items: Loose<DownwardAPIItem>[] | undefined): void {
  for (const item of items ?? []) {
    if (item.fieldRef !== undefined) item.fieldRef.apiVersion ??= 'v1';
    if (item.resourceFieldRef !== undefined) item.resourceFieldRef.divisor ??= '0';
  }
}
