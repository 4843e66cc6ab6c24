import { type CertificateSigningRequest, CLIENT_SIGNER } from '../../protocol/kinds/certificate.ts';

/** What a signing request needs next. */
export type SigningStep =
  | { readonly do: 'sign' }
  | { readonly do: 'fail'; readonly why: string }
  | { readonly do: 'delete' }
  | { readonly do: 'wait'; readonly forMs: number };

const HOUR_MS = 3_600_000;
const PENDING_MS = 24 * HOUR_MS;
const USAGES = ['digital signature', 'key encipherment', 'client auth'];

/**
 * Signs what is approved and ours, gives up on what the signer cannot give, and lets go of what is done for an hour or nobody looked
 * at for a day. Pure; never throws.
 */
export function nextSigningStep(request: CertificateSigningRequest, nowMs: number): SigningStep {
  const conditions = request.status?.conditions ?? [];
  const has = (type: string): boolean => conditions.some((c) => c.type === type);
  const isDone = has('Denied') || has('Failed') || request.status?.certificate !== undefined;
  if (!isDone && has('Approved') && request.spec.signerName === CLIENT_SIGNER) {
    const why = usageProblem(request.spec.usages ?? []);
    return why === undefined ? { do: 'sign' } : { do: 'fail', why };
  }
  const times = conditions.map((c) => Date.parse(c.lastUpdateTime ?? c.lastTransitionTime ?? ''));
  const sinceMs = Math.max(Date.parse(request.metadata.creationTimestamp), ...times.filter(Number.isFinite));
  const leftMs = sinceMs + (isDone || has('Approved') ? HOUR_MS : PENDING_MS) - nowMs;
  return leftMs <= 0 ? { do: 'delete' } : { do: 'wait', forMs: leftMs };
}

function usageProblem(usages: readonly string[]): string | undefined {
  if (!usages.includes('client auth')) return 'usages must include "client auth"';
  const other = usages.find((usage) => !USAGES.includes(usage));
  return other === undefined ? undefined : `usage "${other}" is not one of "${USAGES.join('", "')}"`;
}
