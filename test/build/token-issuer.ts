import type { ClusterView } from '../../hub/cluster.ts';
import { AccountTokens } from '../../hub/pki/account-tokens.ts';
import { TokenKey } from '../../hub/pki/token-key.ts';
import type { Clock } from '../../kit/clock.ts';
import { newPrivateKeyPem } from '../../kit/csr.ts';

/** The same for all hubs, as one that starts again on its store has it. */
const KEY = new TokenKey(newPrivateKeyPem());

/** Issues and judges tokens of service accounts, with a key of this process. */
export function tokenIssuer(view: Pick<ClusterView, 'get'>, clock: Clock): AccountTokens {
  return new AccountTokens({ key: KEY, view, clock });
}
