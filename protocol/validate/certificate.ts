import { jsonEqual } from '../json.ts';
import type { CertificateSigningRequest, CertificateSigningRequestSpec } from '../kinds/certificate.ts';
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { Condition } from '../kinds/meta.ts';
import { at, duplicate, invalidShown, invalidValue, notSupported, required, unless } from './field-errors.ts';

const MIN_SECONDS = 600;
const SIGNER = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$/;
const PEM = /^\s*-----BEGIN CERTIFICATE REQUEST-----[\s\S]*-----END CERTIFICATE REQUEST-----\s*$/;
const USAGES = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const LASTING = ['Approved', 'Denied', 'Failed'];

/** Checks what is asked for; whether the request can be read is the signer's to say. */
export function validateSigningRequest(request: Loose<CertificateSigningRequest>): FieldError[] {
  const { spec = {} } = request;
  return [
    ...unless(PEM.test(textOfBase64(spec.request ?? '')), () =>
      invalidShown('spec.request', '""', 'PEM block type must be CERTIFICATE REQUEST'),
    ),
    ...signerErrors(spec.signerName ?? ''),
    ...usageErrors(spec.usages ?? []),
    ...unless((spec.expirationSeconds ?? MIN_SECONDS) >= MIN_SECONDS, () =>
      invalidValue(
        'spec.expirationSeconds',
        spec.expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    ),
  ];
}

function textOfBase64(text: string): string {
  try {
    return atob(text);
  } catch {
    return ''; // no base64: nothing that could be a request
  }
}

function signerErrors(signer: string): FieldError[] {
  if (signer === '') return [required('spec.signerName')];
  const why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
  return unless(SIGNER.test(signer), () => invalidValue('spec.signerName', signer, why));
}

function usageErrors(usages: readonly string[]): FieldError[] {
  if (usages.length === 0) return [required('spec.usages')];
  return usages.flatMap((usage, i) => [
    ...unless(USAGES.includes(usage), () => notSupported(at('spec.usages', i), usage, USAGES)),
    ...unless(usages.indexOf(usage) === i, () => duplicate(at('spec.usages', i), usage)),
  ]);
}

/** What is asked for never changes. */
export function validateSigningRequestUpdate(
  next: Loose<CertificateSigningRequest>,
  previous: Loose<CertificateSigningRequest>,
): FieldError[] {
  const same = (key: keyof CertificateSigningRequestSpec): boolean =>
    jsonEqual(next.spec?.[key], previous.spec?.[key]);
  const keys = ['request', 'signerName', 'usages', 'expirationSeconds', 'username', 'groups'] as const;
  return keys
    .filter((key) => !same(key))
    .map((key) => invalidShown(`spec.${key}`, '""', 'field is immutable'));
}

/** Conditions are true, once only, stay, and do not contradict one another; an issued certificate stays. */
export function validateSigningStatus(
  next: Loose<CertificateSigningRequest>,
  previous: Loose<CertificateSigningRequest>,
): FieldError[] {
  const conditions = next.status?.conditions ?? [];
  const types = conditions.map((c) => c.type ?? '');
  const had = previous.status?.conditions ?? [];
  const issued = previous.status?.certificate;
  const path = 'status.conditions';
  return [
    ...conditions.flatMap((condition, i) =>
      conditionErrors(condition, types.indexOf(types[i] ?? '') === i, at(path, i)),
    ),
    ...unless(!(types.includes('Approved') && types.includes('Denied')), () =>
      invalidShown(path, '"Denied"', 'Approved and Denied conditions are mutually exclusive'),
    ),
    ...had
      .filter((c) => LASTING.includes(c.type ?? '') && !types.includes(c.type ?? ''))
      .map((c) => ({
        reason: 'FieldValueForbidden' as const,
        field: path,
        message: `Forbidden: updates may not remove a condition of type ${JSON.stringify(c.type)}`,
      })),
    ...unless(!issued || next.status?.certificate === issued, () =>
      invalidShown('status.certificate', '""', 'field is immutable'),
    ),
  ];
}

function conditionErrors(condition: Loose<Condition>, isFirst: boolean, path: string): FieldError[] {
  const { type = '', status } = condition;
  const allowed = LASTING.includes(type) ? ['True'] : ['True', 'False', 'Unknown'];
  return [
    ...unless(type !== '', () => required(`${path}.type`)),
    ...unless(isFirst, () => duplicate(`${path}.type`, type)),
    ...unless(allowed.includes(status ?? ''), () => notSupported(`${path}.status`, status, allowed)),
  ];
}
