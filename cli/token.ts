/** `cox token`: join tokens, kept as bootstrap-token Secrets in kube-system. */
import { randomInt, X509Certificate } from 'node:crypto';
import { publicKeyHash } from '../kit/certificates.ts';
import { toTime } from '../kit/clock.ts';
import { decodeJoinInfo, JOIN_PATHS } from '../protocol/wire/identity.ts';
import { CliError } from './cli-error.ts';
import type { HubClient } from './hub-client.ts';
import { formatAge, table } from './table.ts';

const SECRETS = '/api/v1/namespaces/kube-system/secrets';
const TYPE = 'bootstrap.kubernetes.io/token';
const PREFIX = 'bootstrap-token-';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ID_FORM = /^([a-z0-9]{6})(\.[a-z0-9]{16})?$/;
const LOOPBACK = /^(localhost|127\..*|\[::1\])$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30m`, `24h`, `7d` as ms. Throws CliError. */
export function readTtlMs(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const ttlMs = Number(match?.[1]) * (UNIT_MS[match?.[2] ?? ''] ?? Number.NaN);
  if (!(ttlMs > 0))
    throw new CliError(`--ttl "${text}" is not a duration; write for example 30m, 24h or 7d.`);
  return ttlMs;
}

/** Makes a token and returns the one `line` that lets one device in, and the `url` in it. `options.url` overrides the hub's own address. */
export async function createToken(
  hub: HubClient,
  options: { readonly ttl: string; readonly url?: string; readonly nowMs: number },
): Promise<{ readonly line: string; readonly url: string }> {
  const ttlMs = readTtlMs(options.ttl);
  const { url, caHash } = await whereToJoin(hub, options.url);
  const id = random(6);
  const secret = random(16);
  await hub.ask('POST', SECRETS, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `${PREFIX}${id}`, namespace: 'kube-system' },
    type: TYPE,
    stringData: {
      'token-id': id,
      'token-secret': secret,
      expiration: toTime(options.nowMs + ttlMs),
      'usage-bootstrap-authentication': 'true',
    },
  });
  return { line: `cox join ${url} --token ${id}.${secret} --ca-hash ${caHash}`, url };
}

/** The tokens that are there, as a table; their secrets are not shown. */
export async function listTokens(hub: HubClient, nowMs: number): Promise<string> {
  const rows = (await secrets(hub)).map((secret) => {
    const field = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString();
    const expiration = field('expiration');
    const leftMs = Date.parse(expiration) - nowMs;
    const left = expiration === '' ? 'never' : leftMs > 0 ? formatAge(leftMs) : 'expired';
    return [field('token-id'), expiration || '-', left];
  });
  if (rows.length === 0) return 'There are no tokens. Make one: cox token create';
  return table(['ID', 'EXPIRES', 'LEFT'], rows);
}

/** Deletes a token by its id or whole. Throws CliError when there is none. */
export async function deleteToken(hub: HubClient, token: string): Promise<string> {
  const id = ID_FORM.exec(token)?.[1];
  if (id === undefined) throw new CliError(`"${token}" is no token id; cox token list shows them.`);
  if ((await hub.find(`${SECRETS}/${PREFIX}${id}`)) === undefined)
    throw new CliError(`there is no token ${id}; it may have been used. cox token list shows what is there.`);
  await hub.ask('DELETE', `${SECRETS}/${PREFIX}${id}`);
  return `token ${id} deleted`;
}

interface TokenSecret {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

async function secrets(hub: HubClient): Promise<TokenSecret[]> {
  const list = await hub.ask('GET', SECRETS);
  const items = (list as { items?: unknown } | null)?.items;
  return Array.isArray(items) ? (items as TokenSecret[]).filter((secret) => secret.type === TYPE) : [];
}

/** An address that devices can reach: the kubeconfig may name the hub's own loopback. */
async function whereToJoin(hub: HubClient, url?: string): Promise<{ url: string; caHash: string }> {
  const { server, caPem } = hub.access;
  const caHash = publicKeyHash(new X509Certificate(caPem).raw);
  const own = server.replace(/\/$/, '');
  if (url !== undefined) return { url, caHash };
  if (!isLoopback(own)) return { url: own, caHash };
  const info = decodeJoinInfo(await hub.find(JOIN_PATHS.info));
  const reachable = info.ok ? info.value.api.find((address) => !isLoopback(address)) : undefined;
  return { url: reachable ?? own, caHash };
}

/** True for an address that only the hub's own machine can reach. */
export function isLoopback(url: string): boolean {
  return URL.canParse(url) && LOOPBACK.test(new URL(url).hostname);
}

function random(length: number): string {
  return Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}
