import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { Container, ContainerPort, VolumeMount } from '../kinds/pod.ts';
import { validateEnv } from './env.ts';
import {
  at,
  duplicate,
  forbidden,
  invalidEach,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
  unless,
} from './field-errors.ts';
import { validateHooks } from './handlers.ts';
import { labelNameErrors, localPathErrors, portNameErrors, portNumberErrors } from './names.ts';
import { validateResources } from './resources.ts';
import { validateSecurityContext } from './security.ts';

/** What containers of one pod are checked against. */
export interface PodFacts {
  readonly hostNetwork: boolean;
  readonly volumeNames: ReadonlySet<string>;
  readonly graceSeconds: number;
}

/** Checks one container of any kind; what differs by kind is checked in containers.ts. */
export function validateContainer(container: Loose<Container>, path: string, pod: PodFacts): FieldError[] {
  return [
    ...containerNameErrors(container.name ?? '', `${path}.name`),
    ...imageErrors(container.image ?? '', `${path}.image`),
    ...policyErrors(container, path),
    ...portListErrors(container.ports ?? [], `${path}.ports`, pod.hostNetwork),
    ...validateEnv(container, path),
    ...mountErrors(container, `${path}.volumeMounts`, pod.volumeNames),
    ...validateHooks(container, path, pod.graceSeconds),
    ...validateResources(container.resources, `${path}.resources`),
    ...validateSecurityContext(container.securityContext, `${path}.securityContext`),
  ];
}

function containerNameErrors(name: string, field: string): FieldError[] {
  return name === '' ? [required(field)] : invalidEach(field, name, labelNameErrors(name));
}

function imageErrors(image: string, field: string): FieldError[] {
  if (image === '') return [required(field)];
  return unless(image === image.trim(), () =>
    invalidValue(field, image, 'must not have leading or trailing whitespace'),
  );
}

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const MESSAGE_POLICIES = ['FallbackToLogsOnError', 'File'];

function policyErrors(container: Loose<Container>, path: string): FieldError[] {
  const { terminationMessagePolicy: message, imagePullPolicy: pull } = container;
  return [
    ...unless(message === undefined || MESSAGE_POLICIES.includes(message), () =>
      notSupported(`${path}.terminationMessagePolicy`, message, MESSAGE_POLICIES),
    ),
    ...unless(pull === undefined || PULL_POLICIES.includes(pull), () =>
      notSupported(`${path}.imagePullPolicy`, pull, PULL_POLICIES),
    ),
  ];
}

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

function portListErrors(
  ports: readonly Loose<ContainerPort>[],
  path: string,
  hostNetwork: boolean,
): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, i) => {
    const field = at(path, i);
    const errors: FieldError[] = [];
    if (port.name) {
      errors.push(...invalidEach(`${field}.name`, port.name, portNameErrors(port.name)));
      if (names.has(port.name)) errors.push(duplicate(`${field}.name`, port.name));
      names.add(port.name);
    }
    return [...errors, ...portErrors(port, field, hostNetwork)];
  });
}

function portErrors(port: Loose<ContainerPort>, field: string, hostNetwork: boolean): FieldError[] {
  const { containerPort = 0, hostPort = 0, protocol } = port;
  const errors =
    containerPort === 0
      ? [required(`${field}.containerPort`)]
      : invalidEach(`${field}.containerPort`, containerPort, portNumberErrors(containerPort));
  if (hostPort !== 0) errors.push(...invalidEach(`${field}.hostPort`, hostPort, portNumberErrors(hostPort)));
  if (hostNetwork && hostPort !== containerPort)
    errors.push(
      invalidValue(
        `${field}.containerPort`,
        containerPort,
        'must match `hostPort` when `hostNetwork` is true',
      ),
    );
  if (!protocol) errors.push(required(`${field}.protocol`));
  else if (!PROTOCOLS.includes(protocol)) errors.push(notSupported(`${field}.protocol`, protocol, PROTOCOLS));
  return errors;
}

function mountErrors(container: Loose<Container>, path: string, volumes: ReadonlySet<string>): FieldError[] {
  const seen = new Set<string>();
  const privileged = container.securityContext?.privileged === true;
  return (container.volumeMounts ?? []).flatMap((mount, i) => {
    const field = at(path, i);
    const errors = mountNameErrors(mount, field, volumes);
    const mountPath = mount.mountPath ?? '';
    if (mountPath === '') errors.push(required(`${field}.mountPath`));
    if (mountPath !== '' && seen.has(mountPath))
      errors.push(invalidValue(`${field}.mountPath`, mountPath, 'must be unique'));
    seen.add(mountPath);
    return [...errors, ...subPathErrors(mount, field), ...propagationErrors(mount, field, privileged)];
  });
}

function mountNameErrors(
  mount: Loose<VolumeMount>,
  field: string,
  volumes: ReadonlySet<string>,
): FieldError[] {
  if (!mount.name) return [required(`${field}.name`)];
  const name = mount.name;
  return unless(volumes.has(name), () => notFoundValue(`${field}.name`, name));
}

function subPathErrors(mount: Loose<VolumeMount>, field: string): FieldError[] {
  const { subPath, subPathExpr } = mount;
  const errors = subPath ? invalidEach(`${field}.subPath`, subPath, localPathErrors(subPath)) : [];
  if (!subPathExpr) return errors;
  const why = 'subPathExpr and subPath are mutually exclusive';
  if (subPath) errors.push(invalidValue(`${field}.subPathExpr`, subPathExpr, why));
  return [...errors, ...invalidEach(`${field}.subPathExpr`, subPathExpr, localPathErrors(subPathExpr))];
}

const PROPAGATIONS = ['Bidirectional', 'HostToContainer', 'None'];

function propagationErrors(mount: Loose<VolumeMount>, field: string, privileged: boolean): FieldError[] {
  const mode = mount.mountPropagation;
  if (mode === undefined) return [];
  const path = `${field}.mountPropagation`;
  if (!PROPAGATIONS.includes(mode)) return [notSupported(path, mode, PROPAGATIONS)];
  return unless(mode !== 'Bidirectional' || privileged, () =>
    forbidden(path, 'Bidirectional mount propagation is available only to privileged containers'),
  );
}
