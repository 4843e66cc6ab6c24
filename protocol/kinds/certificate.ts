import type { Condition, KubeObject } from './meta.ts';

/** The only signer the hub is: certificates for people and programs that speak to the API. */
export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';

/** certificates.k8s.io/v1: somebody asks for a certificate, somebody approves, the hub signs. */
export interface CertificateSigningRequest extends KubeObject {
  kind: 'CertificateSigningRequest';
  spec: CertificateSigningRequestSpec;
  status?: CertificateSigningRequestStatus;
}

export interface CertificateSigningRequestSpec {
  /** PKCS#10 in PEM, in base64. */
  request: string;
  signerName: string;
  expirationSeconds?: number;
  usages?: string[];
  /** Who asks; the hub writes these four. */
  username?: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
}

export interface CertificateSigningRequestStatus {
  /** Types `Approved`, `Denied`, `Failed`; once there, they stay. */
  conditions?: Condition[];
  /** PEM in base64. */
  certificate?: string;
}
