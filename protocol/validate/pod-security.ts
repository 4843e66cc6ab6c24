/** Kubernetes' Pod Security Standards: which pods a namespace lets in by the labels `pod-security.kubernetes.io/…`. Pure; never throws. */
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { PodSpec } from '../kinds/pod.ts';
import { invalidValue } from './field-errors.ts';
import { baseline, restricted } from './security-levels.ts';

/** From everything to little. */
type SecurityLevel = 'privileged' | 'baseline' | 'restricted';

/** What a label may say. */
const SECURITY_LEVELS: readonly SecurityLevel[] = ['privileged', 'baseline', 'restricted'];

type Labels = Readonly<Record<string, string | undefined>> | undefined;

const PREFIX = 'pod-security.kubernetes.io/';
const VERSION = /^(latest|v1\.(0|[1-9]\d*))$/;

// Label of a mode (`enforce`, `warn`, `audit`), or of the version of its level.
const securityLabel = (mode: string, part = ''): string => `${PREFIX}${mode}${part}`;

/**
 * Why a pod offends against the level that the labels of its namespace name for a mode, as `"restricted:latest": what, what`;
 * undefined when it does not. All versions are judged as the latest; a level that is none counts as the strictest.
 */
export function securityFault(
  labels: Labels,
  mode: 'enforce' | 'warn',
  spec: Loose<PodSpec> | undefined,
): string | undefined {
  const said = labels?.[securityLabel(mode)];
  if (said === undefined || said === 'privileged' || spec === undefined) return undefined;
  const level = said === 'baseline' ? 'baseline' : 'restricted';
  const found = level === 'baseline' ? baseline(spec) : restricted(spec);
  if (found.length === 0) return undefined;
  const version = labels?.[securityLabel(mode, '-version')] ?? 'latest';
  return `"${level}:${VERSION.test(version) ? version : 'latest'}": ${found.join(', ')}`;
}

const MODES = ['enforce', 'audit', 'warn'];

/** What is wrong with a namespace's labels about security. */
export function validateSecurityLabels(labels: Labels): FieldError[] {
  return MODES.flatMap((mode) => {
    const [level, version] = [labels?.[securityLabel(mode)], labels?.[securityLabel(mode, '-version')]];
    const path = (part: string): string => `metadata.labels[${securityLabel(mode, part)}]`;
    return [
      ...(level === undefined || SECURITY_LEVELS.some((known) => known === level)
        ? []
        : [invalidValue(path(''), level, 'must be one of privileged, baseline, restricted')]),
      ...(version === undefined || VERSION.test(version)
        ? []
        : [invalidValue(path('-version'), version, 'must be "latest" or "v1.x"')]),
    ];
  });
}
