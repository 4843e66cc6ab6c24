import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { PodSpec } from '../kinds/pod.ts';
import { validateContainers } from './containers.ts';
import { at, invalidEach, notSupported, required, unless } from './field-errors.ts';
import { validateLabels } from './metadata.ts';
import { ipErrors, labelNameErrors, qualifiedNameErrors, subdomainErrors } from './names.ts';
import { inRange } from './numbers.ts';
import { validateAffinity, validateSpread, validateTolerations } from './placement.ts';
import { validatePodSecurity } from './security.ts';
import { validateVolumes } from './volumes.ts';

const MAX_INT32 = 2_147_483_647;
const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

/** Checks a pod spec, of a pod as of a template, after defaulting; `path` is its field path. Never throws. */
export function validatePodSpec(spec: Loose<PodSpec>, path: string): FieldError[] {
  return [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...validateContainers(spec, path),
    ...restartPolicyErrors(spec.restartPolicy, `${path}.restartPolicy`),
    ...dnsErrors(spec, path),
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...validatePodSecurity(spec, path),
    ...validateAffinity(spec.affinity, `${path}.affinity`),
    ...(spec.readinessGates ?? []).flatMap((gate, i) =>
      qualified(gate.conditionType, `${at(`${path}.readinessGates`, i)}.conditionType`),
    ),
    ...(spec.schedulingGates ?? []).flatMap((gate, i) =>
      qualified(gate.name, at(`${path}.schedulingGates`, i)),
    ),
    ...validateSpread(spec, path),
    ...namesErrors(spec, path),
    ...inRange(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1, MAX_INT32),
    ...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`),
    ...hostAliasErrors(spec, `${path}.hostAliases`),
  ];
}

const qualified = (name: string | undefined, field: string): FieldError[] =>
  invalidEach(field, name ?? '', qualifiedNameErrors(name ?? ''));

function restartPolicyErrors(policy: string | undefined, field: string): FieldError[] {
  if (!policy) return [required(field)];
  return unless(RESTART_POLICIES.includes(policy), () => notSupported(field, policy, RESTART_POLICIES));
}

function namesErrors(spec: Loose<PodSpec>, path: string): FieldError[] {
  const checked = (
    name: string | undefined,
    field: string,
    rule: (name: string) => string[],
  ): FieldError[] => (name ? invalidEach(`${path}.${field}`, name, rule(name)) : []);
  return [
    ...checked(spec.serviceAccountName, 'serviceAccountName', subdomainErrors),
    ...checked(spec.nodeName, 'nodeName', subdomainErrors),
    ...checked(spec.hostname, 'hostname', labelNameErrors),
    ...checked(spec.subdomain, 'subdomain', labelNameErrors),
    ...checked(spec.priorityClassName, 'priorityClassName', subdomainErrors),
    ...(spec.imagePullSecrets ?? []).flatMap((ref, i) =>
      unless(!!ref.name, () => required(`${at(`${path}.imagePullSecrets`, i)}.name`)),
    ),
  ];
}

function dnsErrors(spec: Loose<PodSpec>, path: string): FieldError[] {
  const policy = spec.dnsPolicy;
  const field = `${path}.dnsPolicy`;
  if (!policy) return [required(field)];
  const errors = unless(DNS_POLICIES.includes(policy), () => notSupported(field, policy, DNS_POLICIES));
  const servers = spec.dnsConfig?.nameservers ?? [];
  const config = `${path}.dnsConfig`;
  if (policy === 'None' && spec.dnsConfig === undefined)
    errors.push(required(config, 'must provide `dnsConfig` when `dnsPolicy` is None'));
  else if (policy === 'None' && servers.length === 0) {
    const why = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
    errors.push(required(`${config}.nameservers`, why));
  }
  return [
    ...errors,
    ...servers.flatMap((ip, i) => invalidEach(at(`${config}.nameservers`, i), ip, ipErrors(ip))),
    ...(spec.dnsConfig?.options ?? []).flatMap((option, i) =>
      unless(!!option.name, () => required(at(`${config}.options`, i), 'must not be empty')),
    ),
  ];
}

function hostAliasErrors(spec: Loose<PodSpec>, path: string): FieldError[] {
  return (spec.hostAliases ?? []).flatMap((alias, i) => [
    ...invalidEach(`${at(path, i)}.ip`, alias.ip ?? '', ipErrors(alias.ip ?? '')),
    ...(alias.hostnames ?? []).flatMap((name) =>
      invalidEach(`${at(path, i)}.hostnames`, name, subdomainErrors(name)),
    ),
  ]);
}
