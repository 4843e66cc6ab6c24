import { jsonEqual } from '../json.ts';
import { ageColumn, nameColumn, orNone, text, wide } from '../print/cells.ts';
import { forbidden, unless } from '../validate/field-errors.ts';
import { validateTaints } from '../validate/placement.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { Node } from './node.ts';

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function statusText(node: Loose<Node>): string {
  const ready = (node.status?.conditions ?? []).find((c) => c.type === 'Ready');
  const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec?.unschedulable === true ? `${state},SchedulingDisabled` : state;
}

function rolesText(node: Loose<Node>): string {
  const roles = Object.entries(node.metadata?.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)];
    return key === 'kubernetes.io/role' && value ? [value] : [];
  });
  return orNone(
    [...new Set(roles)]
      .filter((r) => r !== '')
      .toSorted()
      .join(','),
  );
}

const address = (node: Loose<Node>, type: string): string =>
  orNone((node.status?.addresses ?? []).find((a) => a.type === type)?.address);

/** The pod range and the provider's id are given once. */
function updateErrors(next: Loose<Node>, previous: Loose<Node>): FieldError[] {
  const before = previous.spec ?? {};
  const after = next.spec ?? {};
  const rangeFixed = (before.podCIDRs ?? []).length > 0 || !!before.podCIDR;
  const sameRange =
    jsonEqual(after.podCIDRs ?? [], before.podCIDRs ?? []) &&
    (after.podCIDR ?? '') === (before.podCIDR ?? '');
  return [
    ...unless(!rangeFixed || sameRange, () =>
      forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'),
    ),
    ...unless(!before.providerID || after.providerID === before.providerID, () =>
      forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'),
    ),
  ];
}

/** v1 Node: one device of the fleet. */
export const nodeKind = defineKind<Node>(
  {
    kind: 'Node',
    plural: 'nodes',
    shortNames: ['no'],
    namespaced: false,
    hasStatus: true,
    columns: [
      nameColumn(),
      text('Status', 'Whether the node can take and run pods.', statusText),
      text('Roles', 'Roles from its labels.', rolesText),
      ageColumn(),
      text('Version', 'Version of the agent.', (node) => node.status?.nodeInfo?.kubeletVersion ?? ''),
      wide('Internal-IP', 'Address within the fleet.', (node) => address(node, 'InternalIP')),
      wide('External-IP', 'Address seen from outside.', (node) => address(node, 'ExternalIP')),
      wide('OS-Image', 'Operating system.', (node) => node.status?.nodeInfo?.osImage || '<unknown>'),
      wide('Kernel-Version', 'Kernel.', (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>'),
      wide(
        'Container-Runtime',
        'Container engine and its version.',
        (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
      ),
    ],
    fieldSelectors: { 'spec.unschedulable': (node) => String(node.spec?.unschedulable ?? false) },
  },
  {
    setDefaults: (node) => {
      node.spec ??= {};
      if (node.status?.capacity !== undefined) node.status.allocatable ??= { ...node.status.capacity };
    },
    validate: (node) => validateTaints(node.spec?.taints ?? [], 'spec.taints'),
    validateUpdate: updateErrors,
  },
);
