import type { Event } from './core.ts';
import { defineKind } from './define-kind.ts';
import { eventKind } from './event-kind.ts';
import type { KubeObject } from './meta.ts';

/** events.k8s.io name of a field to its name in the core group; all other fields have one name. */
const RENAMED: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  reportingController: 'reportingComponent',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
};
const BACK = Object.fromEntries(Object.entries(RENAMED).map(([newer, core]) => [core, newer]));

function renamed(object: object, names: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [
      Object.hasOwn(names, name) ? (names[name] ?? name) : name,
      value,
    ]),
  );
}

/** events.k8s.io/v1 to v1. */
export const eventToCore = (object: KubeObject): KubeObject =>
  ({ ...renamed(object, RENAMED), apiVersion: 'v1' }) as unknown as KubeObject;

/** v1 to events.k8s.io/v1. */
export const eventFromCore = (object: KubeObject): KubeObject =>
  ({ ...renamed(object, BACK), apiVersion: 'events.k8s.io/v1' }) as unknown as KubeObject;

const asCore = (object: KubeObject): KubeObject => eventToCore(object);

const OWN_SELECTORS = Object.fromEntries(
  Object.entries(eventKind.fieldSelectors).map(([field, read]) => [
    field.replace(/^involvedObject\./, 'regarding.').replace('reportingComponent', 'reportingController'),
    (object: KubeObject) => read(asCore({ involvedObject: {}, ...object } as KubeObject)),
  ]),
);

/** events.k8s.io/v1 Event: the same objects as v1 Event, with the names of that group. */
export const eventsEventKind = defineKind<Event>({
  kind: 'Event',
  id: 'Event.events.k8s.io',
  group: 'events.k8s.io',
  plural: 'events',
  shortNames: ['ev'],
  durable: false,
  createOnUpdate: true,
  columns: eventKind.columns.map((column) => ({
    ...column,
    cell: (object: Event, context) => column.cell(asCore(object), context),
  })),
  fieldSelectors: OWN_SELECTORS,
  view: { of: 'Event', toStored: eventToCore, fromStored: eventFromCore },
});
