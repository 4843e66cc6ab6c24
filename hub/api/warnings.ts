import { isRecord } from '../../protocol/json.ts';
import type { KindSpec } from '../../protocol/kinds/kind.ts';
import type { Loose } from '../../protocol/kinds/loose.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { PodSpec } from '../../protocol/kinds/pod.ts';
import { securityFault } from '../../protocol/validate/pod-security.ts';
import type { ApiContext } from './context.ts';
import type { Exchange } from './exchange.ts';

/** Tells what the kind warns of in an object that was created, and what its namespace does. */
export function warnOfNew(context: ApiContext, exchange: Exchange, spec: KindSpec, object: KubeObject): void {
  exchange.warnings.push(
    ...(spec.warnings?.(object, true) ?? []),
    ...securityWarnings(context, spec, object),
  );
}

/** The same for an object that asks for something else than before; often-told warnings are read by nobody. */
export function warnOfChange(
  context: ApiContext,
  exchange: Exchange,
  spec: KindSpec,
  before: KubeObject | undefined,
  after: KubeObject,
): void {
  if (before === undefined) {
    warnOfNew(context, exchange, spec, after);
    return;
  }
  if (before.metadata.generation === after.metadata.generation) return;
  exchange.warnings.push(...(spec.warnings?.(after, false) ?? []), ...securityWarnings(context, spec, after));
}

/** Where the spec of pods is in objects of a kind. */
const POD_SPECS: ReadonlyMap<string, readonly string[]> = new Map([
  ['/Pod', ['spec']],
  ['/PodTemplate', ['template', 'spec']],
  ['/ReplicationController', ['spec', 'template', 'spec']],
  ['apps/Deployment', ['spec', 'template', 'spec']],
  ['apps/ReplicaSet', ['spec', 'template', 'spec']],
  ['apps/StatefulSet', ['spec', 'template', 'spec']],
  ['apps/DaemonSet', ['spec', 'template', 'spec']],
  ['batch/Job', ['spec', 'template', 'spec']],
  ['batch/CronJob', ['spec', 'jobTemplate', 'spec', 'template', 'spec']],
]);

function securityWarnings(context: ApiContext, { group, kind }: KindSpec, object: KubeObject): string[] {
  const path = POD_SPECS.get(`${group}/${kind}`);
  const { namespace } = object.metadata;
  if (path === undefined || namespace === undefined) return [];
  const labels = context.store.getObject('Namespace', '', namespace)?.metadata.labels;
  const found = path.reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), object);
  const fault = isRecord(found) ? securityFault(labels, 'warn', found as Loose<PodSpec>) : undefined;
  return fault === undefined ? [] : [`would violate PodSecurity ${fault}`];
}
