import { ageSince } from '../human-duration.ts';
import type { Column, PrintContext } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { KubeObject, LabelSelector } from '../kinds/meta.ts';
import type { Container } from '../kinds/pod.ts';

/** The text, or `<none>`. */
export const orNone = (text: string | undefined): string => (text ? text : '<none>');

/** Reads one cell of an object that may lack any field. */
export type Cell<T> = (object: Loose<T>, context: PrintContext) => string | number;

const column = <T>(
  name: string,
  type: Column<T>['type'],
  priority: number,
  description: string,
  cell: Cell<T>,
  format = '',
): Column<T> => ({
  name,
  type,
  format,
  description,
  priority,
  cell: (object, context) => cell(object as Loose<T>, context),
});

/** A text column that is always shown. */
export const text = <T>(name: string, description: string, cell: Cell<T>): Column<T> =>
  column(name, 'string', 0, description, cell);

/** A text column of `-o wide`. */
export const wide = <T>(name: string, description: string, cell: Cell<T>): Column<T> =>
  column(name, 'string', 1, description, cell);

/** A number column; the cell must be a number. */
export const integer = <T>(name: string, description: string, cell: Cell<T>, priority = 0): Column<T> =>
  column(name, 'integer', priority, description, cell);

/** The first column of nearly every kind. */
export const nameColumn = <T extends KubeObject>(priority = 0): Column<T> => ({
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority,
  cell: (object) => object.metadata.name,
});

/** The age since creation. */
export const ageColumn = <T extends KubeObject>(): Column<T> => ({
  name: 'Age',
  type: 'string',
  format: '',
  description: 'Time since the object was created.',
  priority: 0,
  cell: (object, { nowMs }) => ageSince(object.metadata.creationTimestamp, nowMs),
});

/** Names and images of containers, each joined by commas, as the wide workload columns show them. */
export const containerNames = (containers: readonly Loose<Container>[] | undefined): string =>
  (containers ?? []).map((c) => c.name ?? '').join(',');

/** See `containerNames`. */
export const containerImages = (containers: readonly Loose<Container>[] | undefined): string =>
  (containers ?? []).map((c) => c.image ?? '').join(',');

/** A label selector as one line: `a=b,c in (x,y),!d`, sorted by key; `<none>` when empty. */
export function selectorText(selector: Loose<LabelSelector> | undefined): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({
    key,
    text: `${key}=${value ?? ''}`,
  }));
  const expressions = (selector?.matchExpressions ?? []).map((e) => {
    const key = e.key ?? '';
    const values = (e.values ?? []).toSorted().join(',');
    if (e.operator === 'In') return { key, text: `${key} in (${values})` };
    if (e.operator === 'NotIn') return { key, text: `${key} notin (${values})` };
    return { key, text: e.operator === 'Exists' ? key : `!${key}` };
  });
  const parts = [...labels, ...expressions].toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return parts.length === 0 ? '<none>' : parts.map((p) => p.text).join(',');
}
