/**
 * What the levels of Kubernetes' Pod Security Standards object to in a pod, in its words: `what (who must do what)`. Fields that devices do
 * not act on are not looked at. Pure; never throws.
 */
import type { Loose } from '../kinds/loose.ts';
import type { Container, PodSpec } from '../kinds/pod.ts';

type Subject = Pick<Loose<Container>, 'name' | 'securityContext' | 'ports'>;

/** What a pod does that only those may who are trusted. */
export function baseline(spec: Loose<PodSpec>): string[] {
  const all = containersOf(spec);
  const unconfined = unconfinedWhere(spec, all);
  return [
    ...fault('host namespaces', hostNamespaces(spec)),
    ...fault('privileged', [must(all.filter(isPrivileged), 'must not set securityContext.privileged=true')]),
    ...fault('non-default capabilities', [addedBeyond(all, DEFAULT_CAPABILITIES)]),
    ...fault('hostPath volumes', [
      named(
        'volume',
        volumesOf(spec, (volume) => volume['hostPath'] !== undefined),
      ),
    ]),
    ...fault('hostPort', [hostPorts(all)]),
    ...fault('procMount', [
      must(
        all.filter((c) => !['', 'Default'].includes(textOf(contextOf(c), 'procMount'))),
        'must not set securityContext.procMount to "Unmasked"',
      ),
    ]),
    ...fault('seccompProfile', unconfined),
    ...fault('forbidden sysctls', [
      (spec.securityContext?.sysctls ?? [])
        .flatMap(({ name = '' }) => (SAFE_SYSCTLS.includes(name) ? [] : [name]))
        .join(', '),
    ]),
  ];
}

/** That, and whatever a pod could do without. */
export function restricted(spec: Loose<PodSpec>): string[] {
  const all = containersOf(spec);
  const pod = spec.securityContext ?? {};
  const escalating = all.filter((c) => c.securityContext?.allowPrivilegeEscalation !== false);
  const keeping = all.filter((c) => !(c.securityContext?.capabilities?.drop ?? []).includes('ALL'));
  const seccomp = pod.seccompProfile?.type;
  const unset = all.filter((c) => (c.securityContext?.seccompProfile?.type ?? seccomp) === undefined);
  // What this level judges more strictly is judged once.
  const below = baseline(spec).filter((text) => !/^(seccompProfile|non-default capabilities) /.test(text));
  return [
    ...below,
    ...fault('allowPrivilegeEscalation != false', [
      must(escalating, 'must set securityContext.allowPrivilegeEscalation=false'),
    ]),
    ...fault(
      'unrestricted capabilities',
      [
        must(keeping, 'must set securityContext.capabilities.drop=["ALL"]'),
        addedBeyond(all, ['NET_BIND_SERVICE']),
      ],
      '; ',
    ),
    ...fault('restricted volume types', restrictedVolumes(spec)),
    ...nonRoot(spec, all),
    ...fault('runAsUser=0', [
      pod.runAsUser === 0 ? 'pod must not set runAsUser=0' : '',
      must(
        all.filter((c) => c.securityContext?.runAsUser === 0),
        'must not set runAsUser=0',
      ),
    ]),
    ...fault('seccompProfile', [
      ...unconfinedWhere(spec, all),
      must(
        unset,
        'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
        'pod or ',
      ),
    ]),
  ];
}

function nonRoot({ securityContext: pod = {} }: Loose<PodSpec>, all: readonly Subject[]): string[] {
  const denying = all.filter((c) => c.securityContext?.runAsNonRoot === false);
  const silent = all.filter((c) => c.securityContext?.runAsNonRoot === undefined);
  return fault('runAsNonRoot != true', [
    pod.runAsNonRoot === false && silent.length > 0
      ? 'pod must not set securityContext.runAsNonRoot=false'
      : '',
    must(denying, 'must not set securityContext.runAsNonRoot=false'),
    pod.runAsNonRoot === undefined
      ? must(silent, 'must set securityContext.runAsNonRoot=true', 'pod or ')
      : '',
  ]);
}

const containersOf = ({ initContainers = [], containers = [], ephemeralContainers = [] }: Loose<PodSpec>) =>
  [...initContainers, ...containers, ...ephemeralContainers] as readonly Subject[];

const isPrivileged = ({ securityContext }: Subject): boolean => securityContext?.privileged === true;
const contextOf = ({ securityContext }: Subject): unknown => securityContext;
const quoted = (text: string): string => JSON.stringify(text);

/** A field that the types of this tree do not name, because the device does not act on it. */
function textOf(context: unknown, field: string): string {
  const value = typeof context === 'object' && context !== null ? Reflect.get(context, field) : '';
  return typeof value === 'string' ? value : '';
}

/** `what (detail)`, of those details that are there. */
function fault(what: string, details: readonly string[], joint = ', '): string[] {
  const found = details.filter((detail) => detail !== '');
  return found.length === 0 ? [] : [`${what} (${found.join(joint)})`];
}

/** `container "a"`, `containers "a", "b"`; empty for none. */
function named(what: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  return `${what}${names.length === 1 ? '' : 's'} ${names.map(quoted).join(', ')}`;
}

const namesOf = (containers: readonly Subject[]): string[] => containers.map(({ name = '' }) => name);

function must(containers: readonly Subject[], what: string, before = ''): string {
  return containers.length === 0 ? '' : `${before}${named('container', namesOf(containers))} ${what}`;
}

function hostNamespaces({ hostNetwork, hostPID, hostIPC }: Loose<PodSpec>): string[] {
  return [
    hostNetwork === true ? 'hostNetwork=true' : '',
    hostPID === true ? 'hostPID=true' : '',
    hostIPC === true ? 'hostIPC=true' : '',
  ];
}

const DEFAULT_CAPABILITIES = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

function addedBeyond(all: readonly Subject[], allowed: readonly string[]): string {
  const beyond = (c: Subject): string[] =>
    (c.securityContext?.capabilities?.add ?? []).filter((name) => !allowed.includes(name));
  const offending = all.filter((c) => beyond(c).length > 0);
  const names = [...new Set(offending.flatMap(beyond))].sort().map(quoted);
  return must(offending, `must not include ${names.join(', ')} in securityContext.capabilities.add`);
}

function hostPorts(all: readonly Subject[]): string {
  const portsOf = ({ ports = [] }: Subject): number[] =>
    ports.flatMap(({ hostPort = 0 }) => (hostPort === 0 ? [] : [hostPort]));
  const offending = all.filter((c) => portsOf(c).length > 0);
  const ports = [...new Set(offending.flatMap(portsOf))].sort((a, b) => a - b);
  const verb = offending.length === 1 ? 'uses' : 'use';
  return must(offending, `${verb} hostPort${ports.length === 1 ? '' : 's'} ${ports.join(', ')}`);
}

function unconfinedWhere({ securityContext: pod }: Loose<PodSpec>, all: readonly Subject[]): string[] {
  const rule = 'must not set securityContext.seccompProfile.type to "Unconfined"';
  return [
    pod?.seccompProfile?.type === 'Unconfined' ? `pod ${rule}` : '',
    must(
      all.filter((c) => c.securityContext?.seccompProfile?.type === 'Unconfined'),
      rule,
    ),
  ];
}

const SAFE_SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
];

const FREE_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

type AnyVolume = Readonly<Record<string, unknown>>;

const sourceOf = (volume: AnyVolume): string | undefined =>
  Object.keys(volume).find((key) => key !== 'name' && volume[key] !== undefined);

function volumesOf({ volumes = [] }: Loose<PodSpec>, isBad: (volume: AnyVolume) => boolean): string[] {
  return volumes.flatMap((volume) => (isBad(volume as AnyVolume) ? [volume.name ?? ''] : []));
}

function restrictedVolumes(spec: Loose<PodSpec>): string[] {
  const isBad = (volume: AnyVolume): boolean => {
    const source = sourceOf(volume);
    return source !== undefined && !FREE_VOLUMES.includes(source);
  };
  const names = volumesOf(spec, isBad);
  if (names.length === 0) return [];
  const bad = (spec.volumes ?? []).filter((volume) => isBad(volume as AnyVolume));
  const types = [...new Set(bad.map((volume) => sourceOf(volume as AnyVolume) ?? ''))].sort();
  const one = names.length === 1;
  const plural = types.length === 1 ? '' : 's';
  return [
    `${named('volume', names)} ${one ? 'uses' : 'use'} restricted volume type${plural} ${types.map(quoted).join(', ')}`,
  ];
}
