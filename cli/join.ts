/** `cox join`: makes this machine a device of a cluster. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isSignedBy, publicKeyHash } from '../kit/certificates.ts';
import { buildNodeCsr, newPrivateKeyPem } from '../kit/csr.ts';
import { writeFileDurably } from '../kit/durable-file.ts';
import { HttpsError, type HttpsRequest, type HttpsResponse, sendHttps } from '../kit/https.ts';
import {
  decodeCaResponse,
  decodeJoinResponse,
  type HubFile,
  isNodeName,
  JOIN_PATHS,
  type JoinRequest,
  type JoinResponse,
} from '../protocol/wire/identity.ts';
import { CliError } from './cli-error.ts';
import { json, statusMessage } from './hub-client.ts';

const TIMEOUT_MS = 20_000;
const TRIES = 3;
const TOKEN_FORM = /^[a-z0-9]{6}\.[a-z0-9]{16}$/;
const HASH_FORM = /^sha256:[0-9a-f]{64}$/;

/** The words of the join line; `dataDir` is the device's. */
export interface JoinOptions {
  readonly url: string;
  readonly token: string;
  readonly caHash: string;
  readonly nodeName: string;
  readonly dataDir: string;
  /** Take the name of a node that is alive. */
  readonly replace: boolean;
  /** Join although this machine holds an identity already. */
  readonly force: boolean;
  readonly nowMs: number;
}

/**
 * Proves the hub by the CA's hash, has a key made here certified, and writes `identity/`; `node.crt` comes last, so that its presence
 * means a whole identity. A run that broke off is taken up again with the same key and request. Throws CliError.
 */
export async function joinCluster(options: JoinOptions): Promise<HubFile> {
  const url = checkedUrl(options);
  const dir = join(options.dataDir, 'identity');
  const held = await read(join(dir, 'node.crt'));
  if (held !== undefined && !options.force)
    throw new CliError(
      `this machine has an identity already, in ${dir}\nStart its agent, or join anew with --force.`,
    );
  const ca = await fetchCa(url, options);
  const { keyPem, csr } = await ownRequest(dir, options.nodeName, held !== undefined);
  const body: JoinRequest = {
    nodeName: options.nodeName,
    csr,
    ...(options.replace ? { replace: 'yes' } : {}),
  };
  const answer = await sendJoin(url, ca, body, options);
  checkAnswer(answer, ca, keyPem);
  const { cluster, api, mqtt } = answer;
  const hub: HubFile = { cluster, nodeName: options.nodeName, api, mqtt };
  // Never a moment with an old certificate beside a new key: without node.crt the machine counts as not joined.
  await rm(join(dir, 'node.crt'), { force: true });
  await writeFileDurably(join(dir, 'node.key'), keyPem);
  await writeFileDurably(join(dir, 'ca.crt'), ca);
  await writeFileDurably(join(dir, 'hub.json'), `${JSON.stringify(hub, null, 2)}\n`);
  await writeFileDurably(join(dir, 'node.crt'), answer.certificate);
  await rm(join(dir, 'join.key'), { force: true });
  await rm(join(dir, 'join.csr'), { force: true });
  return hub;
}

function checkedUrl(options: JoinOptions): string {
  if (!URL.canParse(options.url) || new URL(options.url).protocol !== 'https:')
    throw new CliError(
      `"${options.url}" is not an https:// address; take the line that cox token create prints.`,
    );
  if (!TOKEN_FORM.test(options.token))
    throw new CliError(
      'the token must look like abcdef.0123456789abcdef; make one on the hub: cox token create',
    );
  if (!HASH_FORM.test(options.caHash))
    throw new CliError(
      '--ca-hash must be sha256: and 64 hex digits; take the line that cox token create prints.',
    );
  if (!isNodeName(options.nodeName))
    throw new CliError(
      `"${options.nodeName}" cannot be a node's name: choose up to 63 of a-z, 0-9 and - with --node-name.`,
    );
  return new URL(options.url).origin;
}

/** The CA's certificate as anybody on the way may have sent it, believed only because its key has the hash. */
async function fetchCa(url: string, { caHash, nowMs }: JoinOptions): Promise<string> {
  const answer = await send({
    url: `${url}${JOIN_PATHS.ca}`,
    method: 'GET',
    trust: { any: true },
    timeoutMs: TIMEOUT_MS,
    nowMs,
  });
  const decoded = decodeCaResponse(json(answer.body));
  if (answer.code !== 200 || !decoded.ok)
    throw new CliError(`${url} does not answer like a hub (${answer.code}); check the address and port.`);
  let hash = '';
  try {
    hash = publicKeyHash(decoded.value.ca);
  } catch (cause) {
    throw new CliError(`${url} sent something that is no certificate; check the address and port.`, {
      cause,
    });
  }
  if (hash !== caHash)
    throw new CliError(
      `${url} is not the hub this join line was made for: its CA's hash is ${hash}\n` +
        'Make a new line on the hub (cox token create); if the hash still differs, somebody stands in between.',
    );
  return decoded.value.ca;
}

/** Key and request of this attempt, durable before they are used, so that a lost answer can be asked for again. */
async function ownRequest(
  dir: string,
  nodeName: string,
  isRejoin: boolean,
): Promise<{ keyPem: string; csr: string }> {
  const heldKey = await read(join(dir, 'join.key'));
  const heldCsr = await read(join(dir, 'join.csr'));
  if (!isRejoin && heldKey !== undefined && heldCsr !== undefined) return { keyPem: heldKey, csr: heldCsr };
  const keyPem = newPrivateKeyPem();
  const csr = buildNodeCsr(keyPem, nodeName);
  await writeFileDurably(join(dir, 'join.key'), keyPem);
  await writeFileDurably(join(dir, 'join.csr'), csr);
  return { keyPem, csr };
}

async function sendJoin(url: string, ca: string, body: JoinRequest, o: JoinOptions): Promise<JoinResponse> {
  const request: HttpsRequest = {
    url: `${url}${JOIN_PATHS.join}`,
    method: 'POST',
    trust: { pinned: ca },
    bearer: o.token,
    body: JSON.stringify(body),
    timeoutMs: TIMEOUT_MS,
    nowMs: o.nowMs,
  };
  const answer = await send(request, TRIES);
  const value = json(answer.body);
  if (answer.code !== 200)
    throw new CliError(
      `the hub did not let this device in: ${statusMessage(value) ?? `status ${answer.code}`}`,
    );
  const decoded = decodeJoinResponse(value);
  if (!decoded.ok)
    throw new CliError(`the hub's answer is not understood (${decoded.why}); update cox on this machine.`);
  return decoded.value;
}

/** A hub with a broken authority must not leave an identity behind that no hub accepts. */
function checkAnswer(answer: JoinResponse, ca: string, keyPem: string): void {
  const isOurs =
    publicKeyHash(answer.ca) === publicKeyHash(ca) &&
    isSignedBy(answer.certificate, ca) &&
    new X509Certificate(answer.certificate).checkPrivateKey(createPrivateKey(keyPem));
  if (!isOurs)
    throw new CliError('the hub sent a certificate that is not for this device; look at the log of the hub.');
}

/** Repeats what got no answer: the hub answers the same request with the same certificate. */
async function send(request: HttpsRequest, tries = 1): Promise<HttpsResponse> {
  try {
    return await sendHttps(request);
  } catch (error) {
    if (!(error instanceof HttpsError)) throw error;
    if (tries > 1 && (error.reason === 'Broken' || error.reason === 'Timeout'))
      return send(request, tries - 1);
    throw new CliError(`${error.message}\n${nextStep(error)}`, { cause: error });
  }
}

function nextStep(error: HttpsError): string {
  if (error.reason !== 'Untrusted')
    return 'Check that the hub runs, that the address is right and that no firewall blocks the port.';
  if (error.certificate === 'WrongName')
    return 'Give the hub this address with --advertise and restart it, or use an address it knows.';
  if (error.certificate === 'Expired')
    return "Check this machine's clock; a hub renews its certificate when it starts.";
  return 'Make a new join line on the hub: cox token create';
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'EACCES')
      throw new CliError(`${path} may not be read; run cox join as root.`, { cause: error });
    throw error;
  }
}
