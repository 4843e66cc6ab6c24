import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Secret, ServiceAccount } from '../../protocol/kinds/core.ts';
import type { Change } from '../cluster.ts';
import { keyOf, type Loop, type LoopDeps, loopQueue, splitKey, tolerant } from '../loop.ts';

const TYPE = 'kubernetes.io/service-account-token';
const ACCOUNT_NAME = 'kubernetes.io/service-account.name';
const ACCOUNT_UID = 'kubernetes.io/service-account.uid';

/** Signs the token that a Secret carries. */
export interface SecretTokens {
  issueForSecret(secret: Pick<Secret, 'metadata'>, account: ServiceAccount): string;
}

/**
 * Fills Secrets of type kubernetes.io/service-account-token with the token, namespace and authority of their account, and deletes
 * those whose account is gone: their token counts no more.
 */
export class TokenSecretController implements Loop {
  readonly #deps: LoopDeps;
  readonly #tokens: SecretTokens;
  readonly #caPem: string;
  readonly #queue: KeyedQueue;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, tokens: SecretTokens, caPem: string) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'controllers', loop: 'token-secrets' }) };
    this.#tokens = tokens;
    this.#caPem = caPem;
    this.#queue = loopQueue((key) => this.#reconcile(key), this.#deps, 4);
  }

  start(signal: AbortSignal): void {
    this.#unsubscribe = this.#deps.view.subscribe((change) => this.#onChange(change));
    for (const secret of this.#deps.view.list('Secret'))
      if (secret.type === TYPE) this.#queue.add(keyOf(secret));
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  #onChange({ kind, type, object }: Change): void {
    if (kind === 'Secret' && type !== 'deleted' && (object as Secret).type === TYPE)
      this.#queue.add(keyOf(object));
    // A Secret may have waited for its account, or lose it.
    if (kind !== 'ServiceAccount' || type === 'modified') return;
    for (const secret of this.#deps.view.list('Secret', object.metadata.namespace))
      if (secret.type === TYPE && secret.metadata.annotations?.[ACCOUNT_NAME] === object.metadata.name)
        this.#queue.add(keyOf(secret));
  }

  async #reconcile(key: string): Promise<void> {
    const { view, client, log } = this.#deps;
    const { namespace, name } = splitKey(key);
    const secret = view.get('Secret', namespace, name);
    if (secret?.type !== TYPE || secret.metadata.deletionTimestamp !== undefined) return;
    const annotations = secret.metadata.annotations ?? {};
    const account = view.get('ServiceAccount', namespace, annotations[ACCOUNT_NAME] ?? '');
    const wantedUid = annotations[ACCOUNT_UID];
    if (account === undefined || (wantedUid && wantedUid !== account.metadata.uid)) {
      const { uid } = secret.metadata;
      await tolerant(client.delete('Secret', namespace, name, { uid }));
      log.info('token secret of an absent account deleted', { key });
      return;
    }
    if (secret.immutable === true || isFilled(secret, this.#caPem, wantedUid)) return;
    await tolerant(
      client.modify('Secret', namespace, name, (draft) => {
        draft.metadata.annotations = { ...draft.metadata.annotations, [ACCOUNT_UID]: account.metadata.uid };
        draft.data = {
          ...draft.data,
          'ca.crt': base64(this.#caPem),
          namespace: base64(namespace),
          token: draft.data?.['token'] ?? base64(this.#tokens.issueForSecret(secret, account)),
        };
        return true;
      }),
    );
  }
}

function isFilled({ data = {} }: Secret, caPem: string, uid: string | undefined): boolean {
  return !!uid && !!data['token'] && data['namespace'] !== undefined && data['ca.crt'] === base64(caPem);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
