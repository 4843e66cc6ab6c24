import type { Column } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { KubeObject, LabelSelector } from '../kinds/meta.ts';
import type { PodTemplateSpec } from '../kinds/workloads.ts';
import { containerImages, containerNames, selectorText, wide } from './cells.ts';

/** The part of a workload that its wide columns show. */
export interface Templated {
  readonly template?: Loose<PodTemplateSpec> | undefined;
  readonly selector?: Loose<LabelSelector> | undefined;
}

/** Containers and Images of a workload's template, as `-o wide` shows them. */
export const imageColumns = <T extends KubeObject>(
  part: (object: Loose<T>) => Templated | undefined,
): Column<T>[] => [
  wide('Containers', 'Names of the containers of the template.', (object) =>
    containerNames(part(object)?.template?.spec?.containers),
  ),
  wide('Images', 'Images of the containers of the template.', (object) =>
    containerImages(part(object)?.template?.spec?.containers),
  ),
];

/** Containers, Images and Selector. */
export const templateColumns = <T extends KubeObject>(
  part: (object: Loose<T>) => Templated | undefined,
): Column<T>[] => [
  ...imageColumns(part),
  wide('Selector', 'Which pods belong to it.', (object) => selectorText(part(object)?.selector)),
];
