import { type NameRule, validateMetadata, validateMetadataUpdate } from '../validate/metadata.ts';
import type { KindSpec } from './kind.ts';
import type { Loose } from './loose.ts';
import type { KubeObject } from './meta.ts';

type Described<T extends KubeObject> = Pick<KindSpec<T>, 'kind' | 'plural' | 'columns'> &
  Partial<
    Omit<
      KindSpec<T>,
      | 'kind'
      | 'plural'
      | 'columns'
      | 'setDefaults'
      | 'validate'
      | 'validateUpdate'
      | 'validateStatusUpdate'
      | 'validateCreate'
      | 'prepareUpdate'
    >
  >;

/** What a kind adds to the rules every kind has; objects come as clients send them, any field may be missing. */
interface Rules<T extends KubeObject> {
  /** Which names are good; a DNS subdomain unless said otherwise. */
  readonly nameRule?: NameRule;
  /** True where a finalizer needs no domain before a slash: definitions and what they define. */
  readonly plainFinalizers?: boolean;
  readonly setDefaults?: (object: Loose<T>) => void;
  readonly validate?: (object: Loose<T>) => ReturnType<KindSpec<T>['validate']>;
  readonly validateUpdate?: (next: Loose<T>, previous: Loose<T>) => ReturnType<KindSpec<T>['validate']>;
  readonly validateStatusUpdate?: (next: Loose<T>, previous: Loose<T>) => ReturnType<KindSpec<T>['validate']>;
  readonly validateCreate?: (object: Loose<T>) => ReturnType<KindSpec<T>['validate']>;
  readonly prepareUpdate?: (next: Loose<T>, previous: Loose<T>) => void;
}

/**
 * Completes a kind: core/v1, namespaced, durable and without status unless it says otherwise, and with the rules of
 * metadata before its own. The spec is only ever handed objects of its own kind, which is why forgetting T is sound.
 */
export function defineKind<T extends KubeObject>(kind: Described<T>, rules: Rules<T> = {}): KindSpec {
  const namespaced = kind.namespaced ?? true;
  const spec: KindSpec<T> = {
    group: '',
    version: 'v1',
    singular: kind.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    durable: true,
    hasStatus: false,
    hasGeneration: false,
    fieldSelectors: {},
    ...kind,
    namespaced,
    setDefaults: (object) => rules.setDefaults?.(object as Loose<T>),
    validate: (object) => [
      ...validateMetadata(object as Loose<KubeObject>, namespaced, rules.nameRule, rules.plainFinalizers),
      ...(rules.validate?.(object as Loose<T>) ?? []),
    ],
    validateUpdate: (next, previous) => [
      ...validateMetadataUpdate(next as Loose<KubeObject>, previous as Loose<KubeObject>),
      ...(rules.validateUpdate?.(next as Loose<T>, previous as Loose<T>) ?? []),
    ],
    validateStatusUpdate: (next, previous) =>
      rules.validateStatusUpdate?.(next as Loose<T>, previous as Loose<T>) ?? [],
    validateCreate: (object) => rules.validateCreate?.(object as Loose<T>) ?? [],
    prepareUpdate: (next, previous) => rules.prepareUpdate?.(next as Loose<T>, previous as Loose<T>),
  };
  return spec as unknown as KindSpec;
}
