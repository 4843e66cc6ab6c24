import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { PodSecurityContext, PodSpec, SecurityContext } from '../kinds/pod.ts';
import { at, invalidValue, notSupported, required, unless } from './field-errors.ts';
import { inRange } from './numbers.ts';

const MAX_ID = 2_147_483_647;
const PROFILES = ['Localhost', 'RuntimeDefault', 'Unconfined'];

/** Checks a container's security context. */
export function validateSecurityContext(
  context: Loose<SecurityContext> | undefined,
  path: string,
): FieldError[] {
  if (context === undefined) return [];
  return [
    ...inRange(`${path}.runAsUser`, context.runAsUser, 0, MAX_ID),
    ...inRange(`${path}.runAsGroup`, context.runAsGroup, 0, MAX_ID),
    ...profileErrors(context.seccompProfile, `${path}.seccompProfile`),
    ...escalationErrors(context, path),
  ];
}

function escalationErrors(context: Loose<SecurityContext>, path: string): FieldError[] {
  if (context.allowPrivilegeEscalation !== false) return [];
  const errors: FieldError[] = [];
  if (context.privileged === true) {
    const why = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
    errors.push(invalidValue(path, context, why));
  }
  if ((context.capabilities?.add ?? []).includes('CAP_SYS_ADMIN')) {
    const why = 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN';
    errors.push(invalidValue(path, context, why));
  }
  return errors;
}

function profileErrors(
  profile: { type?: string | undefined; localhostProfile?: string | undefined } | undefined,
  path: string,
): FieldError[] {
  if (profile === undefined) return [];
  if (!profile.type) return [required(`${path}.type`, 'type is required when seccompProfile is set')];
  if (!PROFILES.includes(profile.type)) return [notSupported(`${path}.type`, profile.type, PROFILES)];
  const isLocal = profile.type === 'Localhost';
  if (isLocal && !profile.localhostProfile)
    return [required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost')];
  return unless(isLocal || profile.localhostProfile === undefined, () =>
    invalidValue(
      `${path}.localhostProfile`,
      profile.localhostProfile,
      'can only be set when seccomp type is Localhost',
    ),
  );
}

/** Checks a pod's security context and its sharing of the host's namespaces. */
export function validatePodSecurity(spec: Loose<PodSpec>, path: string): FieldError[] {
  const context: Loose<PodSecurityContext> = spec.securityContext ?? {};
  const field = `${path}.securityContext`;
  return [
    ...inRange(`${field}.runAsUser`, context.runAsUser, 0, MAX_ID),
    ...inRange(`${field}.runAsGroup`, context.runAsGroup, 0, MAX_ID),
    ...inRange(`${field}.fsGroup`, context.fsGroup, 0, MAX_ID),
    ...(context.supplementalGroups ?? []).flatMap((gid, i) =>
      inRange(at(`${field}.supplementalGroups`, i), gid, 0, MAX_ID),
    ),
    ...(context.sysctls ?? []).flatMap((sysctl, i) =>
      unless(!!sysctl.name, () => required(`${at(`${field}.sysctls`, i)}.name`)),
    ),
    ...profileErrors(context.seccompProfile, `${field}.seccompProfile`),
    ...unless(!(spec.shareProcessNamespace === true && spec.hostPID === true), () =>
      invalidValue(
        `${path}.shareProcessNamespace`,
        true,
        'ShareProcessNamespace and HostPID cannot both be enabled',
      ),
    ),
  ];
}
