import { generateKeyPairSync } from 'node:crypto';

/** A fresh EC P-256 private key, PKCS#8 PEM. */
export function newPrivateKeyPem(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Common name of a device's certificate, and its MQTT client id. */
export const nodeCommonName = (nodeName: string): string => `system:node:${nodeName}`;
/** Organisation of every device's certificate. */
export const NODES_GROUP = 'system:nodes';

/** A device's certificate request (PKCS#10 PEM), signed with `keyPem` (EC P-256, PKCS#8). Loads the X.509 library on first use. */
export async function buildNodeCsr(keyPem: string, nodeName: string): Promise<string> {
  const { createRequest } = await import('./x509.ts');
  return createRequest(keyPem, { commonName: nodeCommonName(nodeName), organisations: [NODES_GROUP] });
}

/** How many days a device's certificate lives; it renews at two thirds. */
export const NODE_CERTIFICATE_DAYS = 365;
