import { type FieldError, idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { validateSameEphemeral } from '../../protocol/validate/pod-update.ts';
import type { AnyObject, Writer } from './plan.ts';

/** What a write of a pod's ephemeral containers is refused for when it does not come through their own subresource. Pure. */
export function ephemeralErrors(
  spec: KindSpec,
  next: AnyObject,
  current: AnyObject | undefined,
  writer: Writer | undefined,
): FieldError[] {
  if (idOf(spec) !== 'Pod') return [];
  const subresource = writer === undefined || writer === 'given' ? undefined : writer.subresource;
  if (subresource === 'ephemeralcontainers') return [];
  if (current !== undefined)
    return validateSameEphemeral(next as unknown as Partial<Pod>, current as unknown as Partial<Pod>);
  if (((next as unknown as Partial<Pod>).spec?.ephemeralContainers ?? []).length === 0) return [];
  const field = 'spec.ephemeralContainers';
  return [{ reason: 'FieldValueForbidden', field, message: 'Forbidden: cannot be set on create' }];
}
