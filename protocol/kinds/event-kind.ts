import { ageSince } from '../human-duration.ts';
import { integer, nameColumn, text, wide } from '../print/cells.ts';
import { invalidValue, unless } from '../validate/field-errors.ts';
import type { Event } from './core.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';

function objectText(event: Loose<Event>): string {
  const { kind = '', name } = event.involvedObject ?? {};
  return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
}

function sourceText(event: Loose<Event>): string {
  const component = event.source?.component || event.reportingComponent || '';
  const host = event.source?.host || (event.source?.component ? '' : event.reportingInstance) || '';
  return host === '' ? component : `${component}, ${host}`;
}

const firstSeen = (event: Loose<Event>, nowMs: number): string =>
  ageSince(event.firstTimestamp ?? event.eventTime, nowMs);

const lastSeen = (event: Loose<Event>, nowMs: number): string => {
  const last = event.series?.lastObservedTime ?? event.lastTimestamp;
  return last === undefined ? firstSeen(event, nowMs) : ageSince(last, nowMs);
};

/** An event lives where its object does; those of cluster-wide objects live in `default`. */
function namespaceErrors(event: Loose<Event>): FieldError[] {
  const about = event.involvedObject?.namespace ?? '';
  const own = event.metadata?.namespace ?? '';
  return unless(about === '' ? own === 'default' || own === '' : own === about, () =>
    invalidValue('involvedObject.namespace', about, 'does not match event.namespace'),
  );
}

/** v1 Event; in memory only. */
export const eventKind = defineKind<Event>(
  {
    kind: 'Event',
    plural: 'events',
    shortNames: ['ev'],
    durable: false,
    createOnUpdate: true,
    columns: [
      text('Last Seen', 'Time since it happened last.', (event, { nowMs }) => lastSeen(event, nowMs)),
      text('Type', 'Normal or Warning.', (event) => event.type ?? ''),
      text('Reason', 'Short reason for machines.', (event) => event.reason ?? ''),
      text('Object', 'What it is about.', objectText),
      wide('Subobject', 'Part of the object.', (event) => event.involvedObject?.fieldPath ?? ''),
      wide('Source', 'Who reported it.', sourceText),
      text('Message', 'What happened, for people.', (event) => (event.message ?? '').trim()),
      wide('First Seen', 'Time since it happened first.', (event, { nowMs }) => firstSeen(event, nowMs)),
      integer('Count', 'How often it happened.', (event) => event.series?.count ?? (event.count || 1), 1),
      nameColumn(1),
    ],
    fieldSelectors: {
      'involvedObject.kind': (event) => event.involvedObject.kind ?? '',
      'involvedObject.namespace': (event) => event.involvedObject.namespace ?? '',
      'involvedObject.name': (event) => event.involvedObject.name ?? '',
      'involvedObject.uid': (event) => event.involvedObject.uid ?? '',
      'involvedObject.apiVersion': (event) => event.involvedObject.apiVersion ?? '',
      'involvedObject.resourceVersion': (event) => event.involvedObject.resourceVersion ?? '',
      'involvedObject.fieldPath': (event) => event.involvedObject.fieldPath ?? '',
      reason: (event) => event.reason ?? '',
      reportingComponent: (event) => event.reportingComponent ?? '',
      source: (event) => event.source?.component || event.reportingComponent || '',
      type: (event) => event.type ?? '',
    },
  },
  {
    setDefaults: (event) => {
      event.involvedObject ??= {};
    },
    validate: namespaceErrors,
  },
);
