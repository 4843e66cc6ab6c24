import { jsonEqual } from '../json.ts';
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { Container, Pod, PodSpec } from '../kinds/pod.ts';
import { at, forbidden, invalidValue, required, unless } from './field-errors.ts';

const UPDATABLE = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** Checks what an update of a pod may change: images, the deadline, more tolerations, fewer gates. Never throws. */
export function validatePodUpdate(next: Loose<Pod>, previous: Loose<Pod>): FieldError[] {
  const after = next.spec ?? {};
  const before = previous.spec ?? {};
  const counts = [
    ...countErrors(after.containers, before.containers, 'spec.containers'),
    ...countErrors(after.initContainers, before.initContainers, 'spec.initContainers'),
  ];
  // With other containers there is nothing to compare one to one.
  if (counts.length > 0) return counts;
  return [
    ...imageErrors(after.containers, 'spec.containers'),
    ...imageErrors(after.initContainers, 'spec.initContainers'),
    ...deadlineErrors(after.activeDeadlineSeconds, before.activeDeadlineSeconds),
    ...tolerationErrors(after, before),
    ...gateErrors(after, before),
    ...ephemeralErrors(after, before),
    ...otherErrors(after, before),
  ];
}

/** Checks that an update leaves the ephemeral containers alone, which only their subresource may add to. Never throws. */
export function validateSameEphemeral(next: Loose<Pod>, previous: Loose<Pod>): FieldError[] {
  const same = jsonEqual(next.spec?.ephemeralContainers ?? [], previous.spec?.ephemeralContainers ?? []);
  const why = `pod updates may not change fields other than ${UPDATABLE}`;
  return unless(same, () => forbidden('spec', why));
}

/** Whoever debugs a pod may still be in the container: it stays as it is until the pod goes. */
function ephemeralErrors(after: Loose<PodSpec>, before: Loose<PodSpec>): FieldError[] {
  const field = 'spec.ephemeralContainers';
  return (before.ephemeralContainers ?? []).flatMap((old) => {
    const now = (after.ephemeralContainers ?? []).find((c) => c.name === old.name);
    const name = JSON.stringify(old.name);
    if (now === undefined)
      return [forbidden(field, `existing ephemeral containers ${name} may not be removed\n`)];
    return unless(jsonEqual(now, old), () =>
      forbidden(field, `existing ephemeral containers ${name} may not be changed\n`),
    );
  });
}

function countErrors(
  after: unknown[] | undefined,
  before: unknown[] | undefined,
  path: string,
): FieldError[] {
  return unless((after ?? []).length === (before ?? []).length, () =>
    forbidden(path, 'pod updates may not add or remove containers'),
  );
}

function imageErrors(containers: readonly Loose<Container>[] | undefined, path: string): FieldError[] {
  return (containers ?? []).flatMap((c, i) => unless(!!c.image, () => required(`${at(path, i)}.image`)));
}

function deadlineErrors(after: number | undefined, before: number | undefined): FieldError[] {
  const field = 'spec.activeDeadlineSeconds';
  if (before === undefined || after === before) return [];
  if (after === undefined)
    return [invalidValue(field, after, 'must not update from a positive integer to nil value')];
  return unless(after <= before, () =>
    invalidValue(field, after, 'must be less than or equal to previous value'),
  );
}

/** Of an existing toleration only the seconds may change. */
function tolerationErrors(after: Loose<PodSpec>, before: Loose<PodSpec>): FieldError[] {
  const kept = (before.tolerations ?? []).every((old) =>
    (after.tolerations ?? []).some((t) =>
      jsonEqual({ ...t, tolerationSeconds: undefined }, { ...old, tolerationSeconds: undefined }),
    ),
  );
  return unless(kept, () =>
    forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
  );
}

function gateErrors(after: Loose<PodSpec>, before: Loose<PodSpec>): FieldError[] {
  const known = new Set((before.schedulingGates ?? []).map((g) => g.name));
  return (after.schedulingGates ?? []).flatMap((gate) =>
    unless(known.has(gate.name), () =>
      forbidden(
        'spec.schedulingGates',
        `only deletion is allowed, but found new scheduling gate '${gate.name ?? ''}'`,
      ),
    ),
  );
}

/** The spec without what an update may change, to be compared with the old one. */
function fixedPart(spec: Loose<PodSpec>, before: Loose<PodSpec>): Loose<PodSpec> {
  const withoutImage = (c: Loose<Container>): Loose<Container> => ({ ...c, image: '' });
  const grace = spec.terminationGracePeriodSeconds;
  const graceFixed = (before.terminationGracePeriodSeconds ?? 0) < 0 && grace === 1;
  return {
    ...spec,
    containers: (spec.containers ?? []).map(withoutImage),
    initContainers: (spec.initContainers ?? []).map(withoutImage),
    ephemeralContainers: [],
    activeDeadlineSeconds: undefined,
    tolerations: [],
    schedulingGates: [],
    terminationGracePeriodSeconds: graceFixed ? before.terminationGracePeriodSeconds : grace,
  };
}

function otherErrors(after: Loose<PodSpec>, before: Loose<PodSpec>): FieldError[] {
  const left = fixedPart(after, before) as Record<string, unknown>;
  const right = fixedPart(before, before) as Record<string, unknown>;
  const changed = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter(
    (name) => !jsonEqual(left[name], right[name]),
  );
  if (changed.length === 0) return [];
  const lines = changed.map(
    (name) => `  spec.${name}: ${JSON.stringify(right[name])} -> ${JSON.stringify(left[name])}`,
  );
  const why = `pod updates may not change fields other than ${UPDATABLE}\n${lines.join('\n')}`;
  return [forbidden('spec', why)];
}
