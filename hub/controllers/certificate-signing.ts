import { toTime } from '../../kit/clock.ts';
import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { type CertificateSigningRequest, CLIENT_SIGNER } from '../../protocol/kinds/certificate.ts';
import type { Change } from '../cluster.ts';
import { nextSigningStep } from '../decide/signing.ts';
import { type Loop, type LoopDeps, loopQueue, tolerant } from '../loop.ts';

const YEAR_SECONDS = 365 * 86_400;

/** Signs what a person asked for; `why` when it cannot. */
export interface PersonSigner {
  signPersonRequest(
    csrPem: string,
    seconds: number,
  ): Promise<{ readonly certPem: string } | { readonly why: string }>;
}

/**
 * Signs approved requests of the signer kubernetes.io/kube-apiserver-client, and deletes requests that are done for an hour or were
 * waiting for a day. Requests for other signers are left to them, and only cleaned up.
 */
export class CertificateSigningController implements Loop {
  readonly #deps: LoopDeps;
  readonly #signer: PersonSigner;
  readonly #queue: KeyedQueue;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, signer: PersonSigner) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'controllers', loop: 'certificate-signing' }) };
    this.#signer = signer;
    this.#queue = loopQueue((name) => this.#reconcile(name), this.#deps, 2);
  }

  start(signal: AbortSignal): void {
    this.#unsubscribe = this.#deps.view.subscribe((change) => this.#onChange(change));
    for (const { metadata } of this.#deps.view.list('CertificateSigningRequest'))
      this.#queue.add(metadata.name);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  #onChange({ kind, type, object }: Change): void {
    if (kind === 'CertificateSigningRequest' && type !== 'deleted') this.#queue.add(object.metadata.name);
  }

  async #reconcile(name: string): Promise<void> {
    const { view, client, clock } = this.#deps;
    const request = view.get('CertificateSigningRequest', '', name);
    if (request === undefined || request.metadata.deletionTimestamp !== undefined) return;
    const step = nextSigningStep(request, clock.nowMs());
    switch (step.do) {
      case 'wait':
        this.#queue.addAfter(name, step.forMs);
        return;
      case 'delete': {
        const { uid } = request.metadata;
        return tolerant(client.delete('CertificateSigningRequest', '', name, { uid }));
      }
      case 'sign':
        return this.#sign(request);
      case 'fail':
        return this.#fail(name, step.why);
    }
  }

  async #sign({ metadata, spec }: CertificateSigningRequest): Promise<void> {
    const { client, log } = this.#deps;
    const pem = Buffer.from(spec.request, 'base64').toString('utf8');
    const signed = await this.#signer.signPersonRequest(pem, spec.expirationSeconds ?? YEAR_SECONDS);
    if ('why' in signed) return this.#fail(metadata.name, signed.why);
    const certificate = Buffer.from(signed.certPem).toString('base64');
    const issue = (draft: CertificateSigningRequest): boolean => {
      if (draft.metadata.uid !== metadata.uid || draft.status?.certificate !== undefined) return false;
      draft.status = { ...draft.status, certificate };
      return true;
    };
    await client.modify('CertificateSigningRequest', '', metadata.name, issue, 'status');
    log.info('certificate issued', { request: metadata.name, signer: CLIENT_SIGNER });
  }

  async #fail(name: string, message: string): Promise<void> {
    const now = toTime(this.#deps.clock.nowMs());
    const fail = (draft: CertificateSigningRequest): boolean => {
      const conditions = draft.status?.conditions ?? [];
      if (conditions.some((c) => c.type === 'Failed')) return false;
      const times = { lastUpdateTime: now, lastTransitionTime: now };
      const failed = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message } as const;
      draft.status = { ...draft.status, conditions: [...conditions, { ...failed, ...times }] };
      return true;
    };
    await this.#deps.client.modify('CertificateSigningRequest', '', name, fail, 'status');
  }
}
