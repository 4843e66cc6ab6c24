import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { IntOrString } from '../kinds/meta.ts';
import type { Container, HttpGetAction, LifecycleHandler, Probe } from '../kinds/pod.ts';
import { at, forbidden, invalidEach, invalidValue, notSupported, required, unless } from './field-errors.ts';
import { httpHeaderErrors, portNameErrors, portNumberErrors } from './names.ts';
import { nonNegative } from './numbers.ts';

type Handler = Loose<Probe> & Loose<LifecycleHandler>;

/** Checks the probes and lifecycle hooks of one container. */
export function validateHooks(container: Loose<Container>, path: string, graceSeconds: number): FieldError[] {
  return [
    ...lifecycleErrors(container, path, graceSeconds),
    ...probeErrors(container.livenessProbe, `${path}.livenessProbe`),
    ...successMustBeOne(container.livenessProbe, `${path}.livenessProbe`),
    ...probeErrors(container.readinessProbe, `${path}.readinessProbe`),
    ...unless(container.readinessProbe?.terminationGracePeriodSeconds === undefined, () =>
      invalidValue(
        `${path}.readinessProbe.terminationGracePeriodSeconds`,
        container.readinessProbe?.terminationGracePeriodSeconds,
        'must not be set for readinessProbes',
      ),
    ),
    ...probeErrors(container.startupProbe, `${path}.startupProbe`),
    ...successMustBeOne(container.startupProbe, `${path}.startupProbe`),
  ];
}

function lifecycleErrors(container: Loose<Container>, path: string, graceSeconds: number): FieldError[] {
  const { postStart, preStop } = container.lifecycle ?? {};
  return [
    ...(postStart === undefined ? [] : handlerErrors(postStart, `${path}.lifecycle.postStart`, graceSeconds)),
    ...(preStop === undefined ? [] : handlerErrors(preStop, `${path}.lifecycle.preStop`, graceSeconds)),
  ];
}

function successMustBeOne(probe: Loose<Probe> | undefined, path: string): FieldError[] {
  return unless(probe === undefined || (probe.successThreshold ?? 1) === 1, () =>
    invalidValue(`${path}.successThreshold`, probe?.successThreshold, 'must be 1'),
  );
}

function probeErrors(probe: Loose<Probe> | undefined, path: string): FieldError[] {
  if (probe === undefined) return [];
  const grace = probe.terminationGracePeriodSeconds;
  return [
    ...handlerErrors(probe, path, 0),
    ...nonNegative(`${path}.initialDelaySeconds`, probe.initialDelaySeconds),
    ...nonNegative(`${path}.timeoutSeconds`, probe.timeoutSeconds),
    ...nonNegative(`${path}.periodSeconds`, probe.periodSeconds),
    ...nonNegative(`${path}.successThreshold`, probe.successThreshold),
    ...nonNegative(`${path}.failureThreshold`, probe.failureThreshold),
    ...unless(grace === undefined || grace > 0, () =>
      invalidValue(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'),
    ),
  ];
}

const KINDS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

function handlerErrors(handler: Handler, path: string, graceSeconds: number): FieldError[] {
  const given = KINDS.filter((kind) => handler[kind] !== undefined);
  if (given.length === 0) return [required(path, 'must specify a handler type')];
  return given.flatMap((kind, i) =>
    i > 0
      ? [forbidden(`${path}.${kind}`, 'may not specify more than 1 handler type')]
      : oneHandlerErrors(handler, kind, `${path}.${kind}`, graceSeconds),
  );
}

function oneHandlerErrors(
  handler: Handler,
  kind: (typeof KINDS)[number],
  path: string,
  graceSeconds: number,
): FieldError[] {
  switch (kind) {
    case 'exec':
      return unless((handler.exec?.command ?? []).length > 0, () => required(`${path}.command`));
    case 'httpGet':
      return httpErrors(handler.httpGet ?? {}, path);
    case 'tcpSocket':
      return portErrors(handler.tcpSocket?.port, `${path}.port`);
    case 'grpc':
      return portErrors(handler.grpc?.port ?? 0, `${path}.port`);
    case 'sleep':
      return sleepErrors(handler.sleep?.seconds ?? 0, path, graceSeconds);
  }
}

function sleepErrors(seconds: number, path: string, graceSeconds: number): FieldError[] {
  const why = `must be greater than 0 and less than terminationGracePeriodSeconds (${graceSeconds}). Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.`;
  return unless(seconds > 0 && seconds <= graceSeconds, () => invalidValue(path, seconds, why));
}

function httpErrors(http: Loose<HttpGetAction>, path: string): FieldError[] {
  return [
    ...unless(!!http.path, () => required(`${path}.path`)),
    ...portErrors(http.port, `${path}.port`),
    ...unless(http.scheme === 'HTTP' || http.scheme === 'HTTPS', () =>
      notSupported(`${path}.scheme`, http.scheme, ['HTTP', 'HTTPS']),
    ),
    ...(http.httpHeaders ?? []).flatMap((header, i) =>
      invalidEach(
        at(`${path}.httpHeaders`, i).concat('.name'),
        header.name ?? '',
        httpHeaderErrors(header.name ?? ''),
      ),
    ),
  ];
}

function portErrors(port: IntOrString | undefined, field: string): FieldError[] {
  if (typeof port === 'string') return invalidEach(field, port, portNameErrors(port));
  return invalidEach(field, port ?? 0, portNumberErrors(port ?? 0));
}
