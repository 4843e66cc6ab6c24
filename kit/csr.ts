import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';

/** A fresh EC P-256 private key, PKCS#8 PEM. */
export function newPrivateKeyPem(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Common name of a device's certificate, and its MQTT client id. */
export const nodeCommonName = (nodeName: string): string => `system:node:${nodeName}`;
/** Organisation of every device's certificate. */
export const NODES_GROUP = 'system:nodes';

/** How many days a device's certificate lives; it renews at two thirds. */
export const NODE_CERTIFICATE_DAYS = 365;

/** DER tags (X.690) and object identifiers (X.520, RFC 5758), the latter encoded. */
const TAG = { integer: 0x02, bits: 0x03, oid: 0x06, utf8: 0x0c, sequence: 0x30, set: 0x31, attributes: 0xa0 };
const OID = {
  organisation: Buffer.from('55040a', 'hex'),
  commonName: Buffer.from('550403', 'hex'),
  ecdsaWithSha256: Buffer.from('2a8648ce3d040302', 'hex'),
};

/**
 * A device's certificate request (PKCS#10 PEM, RFC 2986), signed with `keyPem` (EC P-256, PKCS#8). Written by hand, because the
 * X.509 library would be a quarter of what a device installs and 12 MB of its memory. Throws on a key that is none.
 */
export function buildNodeCsr(keyPem: string, nodeName: string): string {
  return buildCsr(keyPem, nodeCommonName(nodeName), [NODES_GROUP]);
}

/** As `buildNodeCsr`, for any subject. */
export function buildCsr(keyPem: string, commonName: string, organisations: readonly string[]): string {
  const key = createPrivateKey(keyPem);
  const subject = der(
    TAG.sequence,
    ...organisations.map((name) => nameEntry(OID.organisation, name)),
    nameEntry(OID.commonName, commonName),
  );
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const info = der(TAG.sequence, der(TAG.integer, Buffer.of(0)), subject, publicKey, der(TAG.attributes));
  const algorithm = der(TAG.sequence, der(TAG.oid, OID.ecdsaWithSha256));
  const signature = der(TAG.bits, Buffer.of(0), sign('sha256', info, key));
  const body = der(TAG.sequence, info, algorithm, signature).toString('base64');
  const lines = body.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join(
    '\n',
  );
}

function nameEntry(oid: Buffer, text: string): Buffer {
  return der(TAG.set, der(TAG.sequence, der(TAG.oid, oid), der(TAG.utf8, Buffer.from(text))));
}

/** Tag, length, content; a request is far below the 64 kB that two bytes of length tell. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...bytes), content]);
}
