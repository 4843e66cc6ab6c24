import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../protocol/status.ts';
import { accountGroups, accountOfUserName } from '../decide/authorize.ts';
import { ANONYMOUS, withGroup } from './authenticate.ts';
import type { Attributes, User } from './ports.ts';

/** Whom somebody asks to act as, and what it must be allowed for that. */
export interface Impersonation {
  readonly user: User;
  readonly demands: readonly Attributes[];
}

const AUTHENTICATION = 'authentication.k8s.io';
const EXTRA = 'impersonate-extra-';

/** Reads the impersonation headers (`kubectl --as`); undefined without them. Throws BadRequest. */
export function impersonation(request: IncomingMessage): Impersonation | undefined {
  const { headers, headersDistinct } = request;
  const name = headers['impersonate-user'];
  if (typeof name !== 'string' || name === '') {
    if (!Object.keys(headers).some((h) => h.startsWith('impersonate-'))) return undefined;
    throw new ApiError('BadRequest', 'requested impersonation without impersonating a user');
  }
  const groups = headersDistinct['impersonate-group'] ?? [];
  const uid = headersDistinct['impersonate-uid']?.[0];
  const extra = extraOf(headersDistinct);
  const account = accountOfUserName(name);
  const implied = account !== undefined && groups.length === 0 ? accountGroups(account.namespace) : groups;
  const all = name === ANONYMOUS.name ? [...new Set([...implied, ...ANONYMOUS.groups])] : implied;
  const user: User = {
    name,
    groups: all,
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
  return { user: withGroup(user), demands: demandsOf({ ...user, groups }) };
}

function extraOf(headers: NodeJS.Dict<string[]>): Record<string, readonly string[]> {
  const found = Object.entries(headers).filter(([header]) => header.startsWith(EXTRA));
  return Object.fromEntries(found.map(([header, values]) => [unescaped(header), values ?? []]));
}

function unescaped(header: string): string {
  const key = header.slice(EXTRA.length);
  try {
    return decodeURIComponent(key);
  } catch {
    return key; // URIError: Kubernetes, too, takes a key it cannot unescape as it is
  }
}

function demandsOf(user: User): Attributes[] {
  const account = accountOfUserName(user.name);
  const core = { verb: 'impersonate', group: '', version: 'v1' };
  const other = { verb: 'impersonate', group: AUTHENTICATION, version: 'v1' };
  return [
    account === undefined
      ? { ...core, resource: 'users', name: user.name }
      : { ...core, resource: 'serviceaccounts', ...account },
    ...user.groups.map((name) => ({ ...core, resource: 'groups', name })),
    ...Object.entries(user.extra ?? {}).flatMap(([subresource, values]) =>
      values.map((name) => ({ ...other, resource: 'userextras', subresource, name })),
    ),
    ...(user.uid === undefined ? [] : [{ ...other, resource: 'uids', name: user.uid }]),
  ];
}
