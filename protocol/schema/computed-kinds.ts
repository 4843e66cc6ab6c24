import { apiServiceKind } from '../kinds/api-service-kind.ts';
import { componentStatusKind } from '../kinds/component-status-kind.ts';
import type { OpenApiKind } from './openapi-operations.ts';

const asked = (group: string, kind: string, namespaced = false) => ({
  group,
  version: 'v1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  namespaced,
});

/** Binding, the way of schedulers from before `pods/binding`. */
export const BINDING = asked('', 'Binding', true);

/** Kinds that are only asked: created, answered and kept nowhere. */
export const ASKED_KINDS = [
  BINDING,
  asked('authentication.k8s.io', 'SelfSubjectReview'),
  asked('authentication.k8s.io', 'TokenReview'),
  asked('authorization.k8s.io', 'LocalSubjectAccessReview', true),
  asked('authorization.k8s.io', 'SelfSubjectAccessReview'),
  asked('authorization.k8s.io', 'SelfSubjectRulesReview'),
  asked('authorization.k8s.io', 'SubjectAccessReview'),
] as const;

/** Kinds that the hub answers for without storing them, as OpenAPI documents tell of them. */
export const COMPUTED_KINDS: readonly OpenApiKind[] = [
  ...ASKED_KINDS.map((kind): OpenApiKind => ({ ...kind, hasStatus: false, verbs: ['create'] })),
  { ...componentStatusKind, verbs: ['get', 'list'] },
  { ...apiServiceKind, verbs: ['get', 'list'], openApi: apiServiceSchema() },
];

/** Kubernetes' own schema of it comes from a module of its own. */
function apiServiceSchema(): Readonly<Record<string, unknown>> {
  const text = (description: string): object => ({ type: 'string', description });
  const whole = (description: string): object => ({ type: 'integer', format: 'int32', description });
  const condition = {
    type: 'object',
    required: ['type', 'status'],
    properties: {
      lastTransitionTime: { ...text('When the condition last changed.'), format: 'date-time' },
      message: text('Details of the last change, for people.'),
      reason: text('Why it last changed, one word.'),
      status: text('True, False or Unknown.'),
      type: text('What the condition is about.'),
    },
  };
  return {
    description: 'APIService is a group and version of the API that is served.',
    type: 'object',
    properties: {
      apiVersion: text('Version of this schema.'),
      kind: text('Kind of this object.'),
      metadata: { type: 'object', description: 'Metadata of the object.' },
      spec: {
        type: 'object',
        description: 'What is served.',
        required: ['groupPriorityMinimum', 'versionPriority'],
        properties: {
          group: text('Name of the API group.'),
          groupPriorityMinimum: whole('Which group clients prefer; higher goes first.'),
          version: text('Version of the API.'),
          versionPriority: whole('Which version of the group clients prefer; higher goes first.'),
        },
      },
      status: {
        type: 'object',
        description: 'Whether it is served.',
        properties: {
          conditions: { type: 'array', description: 'What is known of it.', items: condition },
        },
      },
    },
  };
}
