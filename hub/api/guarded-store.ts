import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { DeleteOptions } from '../cluster.ts';
import type {
  ListPage,
  ModifyOptions,
  PageRequest,
  Removal,
  StorePort,
  User,
  WriteOptions,
  WriteRule,
  WrittenPart,
} from './ports.ts';

/**
 * The store as one user may write a kind that has a rule: every way of writing goes through the rule, so that a new one cannot
 * forget it. Reads and deletions pass.
 */
export class GuardedStore implements StorePort {
  readonly #store: StorePort;
  readonly #rule: WriteRule;
  readonly #user: User;
  readonly #isApproval: boolean;

  constructor(store: StorePort, rule: WriteRule, user: User, isApproval: boolean) {
    this.#store = store;
    this.#rule = rule;
    this.#user = user;
    this.#isApproval = isApproval;
  }

  get revision(): number {
    return this.#store.revision;
  }

  getObject(kind: string, namespace: string, name: string): KubeObject | undefined {
    return this.#store.getObject(kind, namespace, name);
  }

  listObjects(kind: string, namespace?: string): ReturnType<StorePort['listObjects']> {
    return this.#store.listObjects(kind, namespace);
  }

  listPage(kind: string, request: PageRequest): ListPage {
    return this.#store.listPage(kind, request);
  }

  watch(...args: Parameters<StorePort['watch']>): () => void {
    return this.#store.watch(...args);
  }

  async createObject(kind: string, object: KubeObject, options: WriteOptions): Promise<KubeObject> {
    const namespace = object.metadata.namespace ?? '';
    const allowed = await this.#rule.create(this.#user, object, namespace);
    return this.#store.createObject(kind, allowed, options);
  }

  updateObject(kind: string, object: KubeObject, options: WriteOptions): Promise<KubeObject> {
    return this.#replace(kind, object, { ...options, part: 'spec' });
  }

  updateStatusObject(kind: string, object: KubeObject, options: WriteOptions): Promise<KubeObject> {
    return this.#replace(kind, object, { ...options, part: 'status' });
  }

  modifyObject(
    kind: string,
    namespace: string,
    name: string,
    change: (current: KubeObject) => KubeObject,
    options: ModifyOptions,
  ): Promise<KubeObject> {
    const part: WrittenPart = this.#isApproval ? 'approval' : (options.part ?? 'spec');
    const allowed = (current: KubeObject): KubeObject =>
      this.#rule.update(this.#user, change(current), current, part);
    return this.#store.modifyObject(kind, namespace, name, allowed, options);
  }

  deleteObject(
    kind: string,
    namespace: string,
    name: string,
    options: DeleteOptions & WriteOptions,
  ): Promise<Removal> {
    return this.#store.deleteObject(kind, namespace, name, options);
  }

  deleteCollection(...args: Parameters<StorePort['deleteCollection']>): Promise<Removal[]> {
    return this.#store.deleteCollection(...args);
  }

  bind(namespace: string, podName: string, podUid: string, nodeName: string): Promise<void> {
    return this.#store.bind(namespace, podName, podUid, nodeName);
  }

  #replace(kind: string, object: KubeObject, options: ModifyOptions): Promise<KubeObject> {
    const { namespace = '', name } = object.metadata;
    return this.modifyObject(kind, namespace, name, () => object, options);
  }
}
