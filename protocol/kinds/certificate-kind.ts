import { humanDuration } from '../human-duration.ts';
import { ageColumn, nameColumn, text } from '../print/cells.ts';
import {
  validateSigningRequest,
  validateSigningRequestUpdate,
  validateSigningStatus,
} from '../validate/certificate.ts';
import type { CertificateSigningRequest } from './certificate.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';

function conditionText({ status = {} }: Loose<CertificateSigningRequest>): string {
  const has = (type: string): boolean => (status.conditions ?? []).some((c) => c.type === type);
  const verdict = has('Denied') ? 'Denied' : has('Approved') ? 'Approved' : 'Pending';
  return `${verdict}${has('Failed') ? ',Failed' : ''}${status.certificate ? ',Issued' : ''}`;
}

/** certificates.k8s.io/v1 CertificateSigningRequest. */
export const certificateSigningRequestKind = defineKind<CertificateSigningRequest>(
  {
    kind: 'CertificateSigningRequest',
    group: 'certificates.k8s.io',
    plural: 'certificatesigningrequests',
    shortNames: ['csr'],
    namespaced: false,
    hasStatus: true,
    columns: [
      nameColumn(),
      ageColumn(),
      text('SignerName', 'Who is to sign it.', (csr) => csr.spec?.signerName ?? ''),
      text('Requestor', 'Who asks.', (csr) => csr.spec?.username ?? ''),
      text('RequestedDuration', 'How long the certificate is to hold.', (csr) =>
        csr.spec?.expirationSeconds === undefined
          ? '<none>'
          : humanDuration(csr.spec.expirationSeconds * 1000),
      ),
      text('Condition', 'What became of it.', conditionText),
    ],
    fieldSelectors: { 'spec.signerName': (csr) => csr.spec.signerName },
    prepareCreate: (csr) => {
      csr.status = {};
    },
  },
  {
    validate: validateSigningRequest,
    validateUpdate: validateSigningRequestUpdate,
    validateStatusUpdate: validateSigningStatus,
  },
);
