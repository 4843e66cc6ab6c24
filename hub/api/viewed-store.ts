import { idOf, type KindSpec, type KindView } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Change } from '../cluster.ts';
import type { PageRequest, StorePort } from './ports.ts';

/**
 * The store as it looks through views: a kind that is another's view is read and written as if it were stored. Every
 * object is converted once, so that a thousand watchers of one change share the converted one as they share the stored one.
 */
export function viewedStore(store: StorePort, kinds: () => readonly KindSpec[]): StorePort {
  const shownBy = new Map<string, WeakMap<KubeObject, KubeObject>>();
  const viewOf = (id: string): KindView | undefined => kinds().find((spec) => idOf(spec) === id)?.view;
  const show = (id: string, view: KindView | undefined, object: KubeObject): KubeObject => {
    if (view === undefined) return object;
    const known = shownBy.get(id) ?? new WeakMap<KubeObject, KubeObject>();
    shownBy.set(id, known);
    const converted = known.get(object) ?? view.fromStored(object);
    known.set(object, converted);
    return converted;
  };
  const stored = (view: KindView | undefined, object: KubeObject): KubeObject =>
    view === undefined ? object : view.toStored(object);
  return {
    get revision() {
      return store.revision;
    },
    getObject: (id, namespace, name) => {
      const view = viewOf(id);
      const object = store.getObject(view?.of ?? id, namespace, name);
      return object === undefined ? undefined : show(id, view, object);
    },
    listObjects: (id, namespace) => {
      const view = viewOf(id);
      const { items, revision } = store.listObjects(view?.of ?? id, namespace);
      return { items: view === undefined ? items : items.map((item) => show(id, view, item)), revision };
    },
    listPage: (id, request) => {
      const view = viewOf(id);
      const { matches } = request;
      const asked: PageRequest =
        matches === undefined
          ? request
          : { ...request, matches: (object) => matches(show(id, view, object)) };
      const page = store.listPage(view?.of ?? id, asked);
      return view === undefined ? page : { ...page, items: page.items.map((item) => show(id, view, item)) };
    },
    watch: (id, from, listener) => {
      const view = viewOf(id);
      if (view === undefined) return store.watch(id, from, listener);
      return store.watch(view.of, from, (change) => listener(seen(change, (o) => show(id, view, o))));
    },
    createObject: async (id, object, options) => {
      const view = viewOf(id);
      return show(id, view, await store.createObject(view?.of ?? id, stored(view, object), options));
    },
    updateObject: async (id, object, options) => {
      const view = viewOf(id);
      return show(id, view, await store.updateObject(view?.of ?? id, stored(view, object), options));
    },
    updateStatusObject: async (id, object, options) => {
      const view = viewOf(id);
      return show(id, view, await store.updateStatusObject(view?.of ?? id, stored(view, object), options));
    },
    modifyObject: async (id, namespace, name, change, options) => {
      const view = viewOf(id);
      const changed = (current: KubeObject): KubeObject => stored(view, change(show(id, view, current)));
      return show(id, view, await store.modifyObject(view?.of ?? id, namespace, name, changed, options));
    },
    deleteObject: async (id, namespace, name, options) => {
      const view = viewOf(id);
      const removal = await store.deleteObject(view?.of ?? id, namespace, name, options);
      return { ...removal, object: show(id, view, removal.object) };
    },
    deleteCollection: async (id, namespace, options, matches = () => true) => {
      const view = viewOf(id);
      const shown = (object: KubeObject): boolean => matches(show(id, view, object));
      const removals = await store.deleteCollection(view?.of ?? id, namespace, options, shown);
      return removals.map((removal) => ({ ...removal, object: show(id, view, removal.object) }));
    },
    bind: (namespace, podName, podUid, nodeName) => store.bind(namespace, podName, podUid, nodeName),
  };
}

function seen(change: Change, show: (object: KubeObject) => KubeObject): Change {
  const object = show(change.object);
  return change.previous === undefined
    ? { ...change, object }
    : { ...change, object, previous: show(change.previous) };
}
