import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { Container, PodSpec } from '../kinds/pod.ts';
import { type PodFacts, validateContainer } from './container.ts';
import { at, duplicate, forbidden, notSupported, required, unless } from './field-errors.ts';

type Seen = Set<string>;

/** Checks all containers of a pod; names are unique over regular, init and ephemeral ones. */
export function validateContainers(spec: Loose<PodSpec>, path: string): FieldError[] {
  const facts: PodFacts = {
    hostNetwork: spec.hostNetwork === true,
    volumeNames: new Set((spec.volumes ?? []).flatMap((v) => (v.name ? [v.name] : []))),
    graceSeconds: spec.terminationGracePeriodSeconds ?? 30,
  };
  const names: Seen = new Set();
  const containers = spec.containers ?? [];
  return [
    ...unless(containers.length > 0, () => required(`${path}.containers`)),
    ...containers.flatMap((c, i) => regularErrors(c, at(`${path}.containers`, i), facts, names)),
    ...hostPortErrors(containers, `${path}.containers`),
    ...(spec.initContainers ?? []).flatMap((c, i) =>
      initErrors(c, at(`${path}.initContainers`, i), facts, names),
    ),
    ...(spec.ephemeralContainers ?? []).flatMap((c, i) =>
      ephemeralErrors(c as Loose<Container>, at(`${path}.ephemeralContainers`, i), facts, names),
    ),
  ];
}

function uniqueName(container: Loose<Container>, path: string, names: Seen): FieldError[] {
  const name = container.name ?? '';
  if (name === '') return [];
  const errors = unless(!names.has(name), () => duplicate(`${path}.name`, name));
  names.add(name);
  return errors;
}

function regularErrors(c: Loose<Container>, path: string, facts: PodFacts, names: Seen): FieldError[] {
  return [
    ...validateContainer(c, path, facts),
    ...uniqueName(c, path, names),
    ...unless(c.restartPolicy === undefined, () =>
      forbidden(`${path}.restartPolicy`, 'may not be set for non-init containers'),
    ),
  ];
}

const HOOKS = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** Init containers run to the end before the others start, so probes make sense on sidecars only. */
function initErrors(c: Loose<Container>, path: string, facts: PodFacts, names: Seen): FieldError[] {
  const policy = c.restartPolicy as string | undefined;
  const hooks = policy === 'Always' ? [] : HOOKS.filter((hook) => c[hook] !== undefined);
  return [
    ...validateContainer(c, path, facts),
    ...uniqueName(c, path, names),
    ...unless(policy === undefined || policy === 'Always', () =>
      notSupported(`${path}.restartPolicy`, policy, ['Always']),
    ),
    ...hooks.map((hook) =>
      forbidden(`${path}.${hook}`, 'may not be set for init containers without restartPolicy=Always'),
    ),
    ...hostPortErrors([c], path.slice(0, path.lastIndexOf('['))),
  ];
}

function ephemeralErrors(c: Loose<Container>, path: string, facts: PodFacts, names: Seen): FieldError[] {
  const banned = (['ports', 'resources', ...HOOKS] as const).filter(
    (key) => c[key] !== undefined && Object.keys(c[key] ?? {}).length > 0,
  );
  return [
    ...validateContainer(c, path, facts),
    ...uniqueName(c, path, names),
    ...banned.map((key) => forbidden(`${path}.${key}`, 'cannot be set for an Ephemeral Container')),
  ];
}

function hostPortErrors(containers: readonly Loose<Container>[], path: string): FieldError[] {
  const seen = new Set<string>();
  return containers.flatMap((container, i) =>
    (container.ports ?? []).flatMap((port, j) => {
      if (!port.hostPort) return [];
      const id = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`;
      const errors = unless(!seen.has(id), () => duplicate(`${at(`${at(path, i)}.ports`, j)}.hostPort`, id));
      seen.add(id);
      return errors;
    }),
  );
}
