import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileDurably } from '../../kit/durable-file.ts';
import { decodeHubFile, type HubFile, type JoinResponse } from '../../protocol/wire/identity.ts';

/** What a joined device is: its certificate and key, the CA it trusts, its cluster and where the hub listens. PEM texts. */
export interface Identity extends HubFile {
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
}

/** Why there is no identity to use. */
export type IdentityProblem = 'NotJoined' | 'Unreadable';

/**
 * Reads `identity/` below the data directory. `NotJoined` when there is no key yet; `Unreadable`, with what is wrong, when files
 * are missing or damaged. Never throws.
 */
export async function readIdentity(
  dataDir: string,
): Promise<
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly problem: IdentityProblem; readonly why: string }
> {
  const dir = join(dataDir, 'identity');
  let texts: string[];
  try {
    texts = await Promise.all(
      ['node.crt', 'node.key', 'ca.crt', 'hub.json'].map((name) => readFile(join(dir, name), 'utf8')),
    );
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { ok: false, problem: missing ? 'NotJoined' : 'Unreadable', why: String(error) };
  }
  const [certificate = '', key = '', ca = '', hubText = ''] = texts;
  const hub = readHubFile(hubText);
  if (!hub.ok) return { ok: false, problem: 'Unreadable', why: `${dir}/hub.json: ${hub.why}` };
  return { ok: true, identity: { ...hub.value, certificate, key, ca } };
}

/**
 * Stores a renewed certificate for the same key, and the addresses the hub now has. The key stays, so that there is no moment
 * at which a power cut leaves a certificate and a key that do not belong together.
 */
export async function storeRenewal(dataDir: string, before: Identity, answer: JoinResponse): Promise<void> {
  const dir = join(dataDir, 'identity');
  const hub: HubFile = {
    cluster: before.cluster,
    nodeName: before.nodeName,
    api: answer.api.length > 0 ? answer.api : before.api,
    mqtt: answer.mqtt.length > 0 ? answer.mqtt : before.mqtt,
  };
  await writeFileDurably(join(dir, 'node.crt'), answer.certificate, { mode: 0o644 });
  if (JSON.stringify(hub) === JSON.stringify(hubOf(before))) return;
  await writeFileDurably(join(dir, 'hub.json'), `${JSON.stringify(hub, undefined, 2)}\n`, { mode: 0o644 });
}

/** True when two identities would connect in the same way. */
export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.certificate === b.certificate && a.key === b.key && a.ca === b.ca && sameHub(a, b);
}

function sameHub(a: Identity, b: Identity): boolean {
  return JSON.stringify(hubOf(a)) === JSON.stringify(hubOf(b));
}

function hubOf(identity: Identity): HubFile {
  const { cluster, nodeName, api, mqtt } = identity;
  return { cluster, nodeName, api, mqtt };
}

function readHubFile(text: string): ReturnType<typeof decodeHubFile> {
  try {
    return decodeHubFile(JSON.parse(text));
  } catch {
    return { ok: false, why: 'not JSON' };
  }
}
