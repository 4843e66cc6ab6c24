import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../kinds/meta.ts';
import { at, forbidden, invalidEach, invalidValue, required, tooLong, unless } from './field-errors.ts';
import { labelNameErrors, labelValueErrors, qualifiedNameErrors, subdomainErrors } from './names.ts';

/** Which texts a name breaks; see names.ts. */
export type NameRule = (name: string) => string[];

const MAX_ANNOTATIONS_BYTES = 262_144;
const STANDARD_FINALIZERS = ['kubernetes', 'orphan', 'foregroundDeletion'];
const utf8 = new TextEncoder();

/** Bytes of a text as UTF-8. */
export const byteLength = (text: string): number => utf8.encode(text).length;

/** Checks name, namespace, labels, annotations, owners and finalizers of a complete object. */
export function validateMetadata(
  object: Loose<KubeObject>,
  namespaced: boolean,
  nameRule: NameRule = subdomainErrors,
  plainFinalizers = false,
): FieldError[] {
  const meta = object.metadata ?? {};
  return [
    ...nameErrors(meta, nameRule),
    ...namespaceErrors(meta, namespaced),
    ...validateLabels(meta.labels, 'metadata.labels'),
    ...validateAnnotations(meta.annotations, 'metadata.annotations'),
    ...ownerErrors(meta.ownerReferences ?? []),
    ...(meta.finalizers ?? []).flatMap((name) =>
      finalizerErrors(name, 'metadata.finalizers', plainFinalizers),
    ),
  ];
}

function nameErrors(meta: Loose<ObjectMeta>, rule: NameRule): FieldError[] {
  if (meta.name) return invalidEach('metadata.name', meta.name, rule(meta.name));
  if (!meta.generateName) return [required('metadata.name', 'name or generateName is required')];
  // The dash before the random part may end the prefix, but not the name.
  return invalidEach('metadata.generateName', meta.generateName, rule(meta.generateName.replace(/-$/, 'a')));
}

function namespaceErrors(meta: Loose<ObjectMeta>, namespaced: boolean): FieldError[] {
  if (!namespaced)
    return unless(!meta.namespace, () => forbidden('metadata.namespace', 'not allowed on this type'));
  if (!meta.namespace) return [required('metadata.namespace')];
  return invalidEach('metadata.namespace', meta.namespace, labelNameErrors(meta.namespace));
}

/** Checks keys and values of labels, at the metadata of an object, a template or a node selector. */
export function validateLabels(
  labels: Loose<Record<string, string>> | undefined,
  path: string,
): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...invalidEach(path, key, qualifiedNameErrors(key)),
    ...invalidEach(path, value ?? '', labelValueErrors(value ?? '')),
  ]);
}

/** Checks the keys of annotations and their total size of 256 KiB. */
export function validateAnnotations(
  annotations: Loose<Record<string, string>> | undefined,
  path: string,
): FieldError[] {
  const entries = Object.entries(annotations ?? {});
  const bytes = entries.reduce((sum, [key, value]) => sum + byteLength(key) + byteLength(value ?? ''), 0);
  return [
    ...entries.flatMap(([key]) => invalidEach(path, key, qualifiedNameErrors(key.toLowerCase()))),
    ...unless(bytes <= MAX_ANNOTATIONS_BYTES, () => tooLong(path, MAX_ANNOTATIONS_BYTES)),
  ];
}

function ownerErrors(owners: readonly Loose<OwnerReference>[]): FieldError[] {
  const path = 'metadata.ownerReferences';
  const errors = owners.flatMap((owner, i) => [
    ...unless(!!owner.apiVersion, () =>
      invalidValue(`${at(path, i)}.apiVersion`, '', 'version must not be empty'),
    ),
    ...unless(!!owner.kind, () => invalidValue(`${at(path, i)}.kind`, '', 'must not be empty')),
    ...unless(!!owner.name, () => invalidValue(`${at(path, i)}.name`, '', 'must not be empty')),
    ...unless(!!owner.uid, () => invalidValue(`${at(path, i)}.uid`, '', 'must not be empty')),
  ]);
  const [first, second] = owners.filter((o) => o.controller === true);
  if (first !== undefined && second !== undefined) {
    const why = `Only one reference can have Controller set to true. Found "true" in references for ${first.kind}/${first.name} and ${second.kind}/${second.name}`;
    errors.push(invalidValue(path, owners, why));
  }
  return errors;
}

function finalizerErrors(name: string, path: string, plain: boolean): FieldError[] {
  const texts = qualifiedNameErrors(name);
  if (texts.length > 0) return invalidEach(path, name, texts);
  if (plain || name.includes('/') || STANDARD_FINALIZERS.includes(name)) return [];
  return [invalidValue(path, name, 'name is neither a standard finalizer name nor is it fully qualified')];
}

const IMMUTABLE = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp'] as const;

/** Checks that an update leaves the identity alone and adds no finalizer to an object that is being deleted. */
export function validateMetadataUpdate(next: Loose<KubeObject>, previous: Loose<KubeObject>): FieldError[] {
  const after = next.metadata ?? {};
  const before = previous.metadata ?? {};
  const errors = IMMUTABLE.flatMap((name) =>
    unless((after[name] ?? '') === (before[name] ?? ''), () =>
      invalidValue(`metadata.${name}`, after[name] ?? '', 'field is immutable'),
    ),
  );
  if (before.deletionTimestamp === undefined) return errors;
  const added = (after.finalizers ?? []).filter((f) => !(before.finalizers ?? []).includes(f));
  if (added.length > 0) {
    const list = added.map((f) => JSON.stringify(f)).join(', ');
    const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
    errors.push(forbidden('metadata.finalizers', why));
  }
  return errors;
}
