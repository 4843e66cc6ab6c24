import { type Clock, toTime } from '../../kit/clock.ts';
import type { CertificateSigningRequest } from '../../protocol/kinds/certificate.ts';
import { CLIENT_SIGNER } from '../../protocol/kinds/certificate.ts';
import type { Condition, KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError } from '../../protocol/status.ts';
import type { Asker } from '../decide/authorize.ts';
import type { AccessWriteRule } from './access.ts';
import type { Rights } from './role-writes.ts';

const GROUP = 'certificates.k8s.io';
const VERDICTS = ['Approved', 'Denied'];

/** Who asks for a certificate, as far as the request records it. */
interface Requestor extends Asker {
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What the rule about signing requests needs. */
export interface SigningDeps {
  readonly rights: Pick<Rights, 'may'>;
  readonly clock: Clock;
  /** Why nobody may ask for this (PEM); undefined when one may. */
  readonly requestProblem: (csrPem: string) => Promise<string | undefined>;
}

/**
 * The rule about writing CertificateSigningRequests: the hub records who asks, approving needs `approve` and signing needs `sign` on
 * the signer, and each part changes nothing but itself. Throws Forbidden.
 */
export function signingRule(deps: SigningDeps): AccessWriteRule {
  return {
    create: async (asker, object) => {
      const request = object as CertificateSigningRequest;
      if (request.spec?.signerName === CLIENT_SIGNER) {
        const pem = Buffer.from(String(request.spec.request ?? ''), 'base64').toString('utf8');
        const why = await deps.requestProblem(pem);
        // What cannot be read at all is refused by validation, which names the field.
        if (why !== undefined && pem.includes('CERTIFICATE REQUEST')) throw refused(request, why);
      }
      return signedBy(request, asker);
    },
    update: (asker, object, previous, part) => {
      const next = object as CertificateSigningRequest;
      const held = previous as CertificateSigningRequest;
      if (part === 'spec') return { ...next, spec: held.spec } as KubeObject;
      demandSigner(deps, asker, held, next, part);
      return withStatus(held, next, part, toTime(deps.clock.nowMs()));
    },
  };
}

/** A request as its asker's own; whatever it says about who asks is replaced. */
function signedBy(request: CertificateSigningRequest, asker: Requestor): KubeObject {
  const { username: _u, uid: _i, groups: _g, extra: _e, ...wanted } = request.spec ?? {};
  const spec = {
    ...wanted,
    username: asker.name,
    ...(asker.uid === undefined ? {} : { uid: asker.uid }),
    groups: [...asker.groups],
    ...(asker.extra === undefined ? {} : { extra: asker.extra }),
  };
  return { ...request, spec } as KubeObject;
}

function demandSigner(
  { rights }: SigningDeps,
  asker: Asker,
  held: CertificateSigningRequest,
  next: CertificateSigningRequest,
  part: 'status' | 'approval',
): void {
  const isSigning = (next.status?.certificate ?? '') !== (held.status?.certificate ?? '');
  const fails = (request: CertificateSigningRequest): boolean =>
    (request.status?.conditions ?? []).some((c) => c.type === 'Failed');
  if (part === 'status' && !isSigning && fails(next) === fails(held)) return;
  const verb = part === 'approval' ? 'approve' : 'sign';
  const { signerName } = held.spec;
  const names = [signerName, `${signerName.split('/')[0] ?? ''}/*`];
  if (names.some((name) => rights.may(asker, { verb, group: GROUP, resource: 'signers', name }))) return;
  throw refused(held, `user not permitted to ${verb} requests with signerName ${JSON.stringify(signerName)}`);
}

function withStatus(
  held: CertificateSigningRequest,
  next: CertificateSigningRequest,
  part: 'status' | 'approval',
  now: string,
): KubeObject {
  const before = held.status?.conditions ?? [];
  const after = next.status?.conditions ?? [];
  const isVerdict = (c: Condition): boolean => VERDICTS.includes(c.type);
  const conditions =
    part === 'approval'
      ? [...after.filter(isVerdict), ...before.filter((c) => !isVerdict(c))]
      : [...before.filter(isVerdict), ...after.filter((c) => !isVerdict(c))];
  const stamped = conditions.map((c) => ({
    ...c,
    lastUpdateTime: c.lastUpdateTime ?? now,
    lastTransitionTime: c.lastTransitionTime ?? now,
  }));
  const certificate = part === 'approval' ? held.status?.certificate : next.status?.certificate;
  const status = { conditions: stamped, ...(certificate ? { certificate } : {}) };
  return { ...next, spec: held.spec, status } as KubeObject;
}

function refused({ metadata }: KubeObject, why: string): ApiError {
  const name = metadata.name ?? '';
  const message = `certificatesigningrequests.${GROUP} "${name}" is forbidden: ${why}`;
  return new ApiError('Forbidden', message, { name, group: GROUP, kind: 'certificatesigningrequests' });
}
