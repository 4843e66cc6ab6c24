import { isRecord } from '../json.ts';
import type { KubeObject } from '../kinds/meta.ts';
import { difference, type FieldSet, NO_FIELDS, union } from './field-set.ts';
import type { Shape } from './shape.ts';
import { compareFields, fieldsOf } from './walks.ts';

/** Where `kubectl apply` on the client's side keeps what it applied. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Annotations together may not be larger. */
const MAX_LENGTH = 262_144;

/** The fields that client-side apply set and that still have its values: kubectl may take those over without a conflict. */
export function stillAsLastApplied(shape: Shape, live: KubeObject): FieldSet {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined) return NO_FIELDS;
  let applied: unknown;
  try {
    applied = JSON.parse(text);
  } catch {
    return NO_FIELDS; // written by somebody else: then nothing is known of what was applied
  }
  if (!isRecord(applied)) return NO_FIELDS;
  const { added, modified, removed } = compareFields(shape, applied, live);
  return difference(fieldsOf(shape, applied), union(union(added, modified), removed));
}

/** Keeps the annotation, where there is one, at what kubectl applies now, so that client-side apply can go on from there. */
export function withLastApplied(object: KubeObject, config: KubeObject): KubeObject {
  const annotations = object.metadata.annotations;
  if (annotations?.[LAST_APPLIED] === undefined) return object;
  const { [LAST_APPLIED]: _before, ...others } = annotations;
  const text = `${JSON.stringify(withoutAnnotation(config))}\n`;
  const next = text.length > MAX_LENGTH ? others : { ...others, [LAST_APPLIED]: text };
  return { ...object, metadata: { ...object.metadata, annotations: next } };
}

function withoutAnnotation(config: KubeObject): KubeObject {
  const annotations = config.metadata.annotations;
  if (annotations === undefined) return config;
  const { [LAST_APPLIED]: _before, ...others } = annotations;
  return { ...config, metadata: { ...config.metadata, annotations: others } };
}
