import { defaultTemplate } from '../defaults/workloads.ts';
import { containerImages, containerNames, nameColumn, selectorText, text } from '../print/cells.ts';
import { templateWarnings } from '../validate/pod-warnings.ts';
import { validateTemplate } from '../validate/workloads.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';
import type { PodTemplate } from './workloads.ts';

/** v1 PodTemplate. */
export const podTemplateKind = defineKind<PodTemplate>(
  {
    kind: 'PodTemplate',
    plural: 'podtemplates',
    hasGeneration: true,
    warnings: (object) => templateWarnings(undefined, (object as Loose<PodTemplate>).template, 'template'),
    columns: [
      nameColumn(),
      text('Containers', 'Names of the containers.', (t) => containerNames(t.template?.spec?.containers)),
      text('Images', 'Images of the containers.', (t) => containerImages(t.template?.spec?.containers)),
      text('Pod Labels', 'Labels of the pods.', (t) =>
        selectorText({ matchLabels: t.template?.metadata?.labels }),
      ),
    ],
  },
  {
    setDefaults: (object) => {
      object.template ??= {};
      defaultTemplate(object.template);
    },
    validate: (object) => validateTemplate(object.template ?? {}, 'template'),
  },
);
