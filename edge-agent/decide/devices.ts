/** A device node as it is on the host now, and the stable path under which a container sees it. */
export interface DeviceNode {
  readonly target: string;
  readonly source: string;
  /** The kernel's number of the device: another one after a replug means that a mapped node no longer leads to it. */
  readonly number: number;
}

/** One thing to give to one container: a device that is there, or one of the shares of a device with a count. */
export interface DeviceUnit {
  readonly resource: string;
  /** Names the unit for ever: resource, stable path and, from the second share on, its number. */
  readonly key: string;
  readonly nodes: readonly DeviceNode[];
  /** Groups that own the nodes and may write them, so that containers without root can use them. */
  readonly groups: readonly number[];
  readonly env?: string;
}

/** Who has a unit: a container of a pod by name, whichever of its attempts. */
export interface DeviceHolder {
  readonly podUid: string;
  readonly container: string;
}

/** The units a container gets, or which resource has too few left. */
export type Allocation =
  | { readonly ok: true; readonly units: readonly DeviceUnit[] }
  | { readonly ok: false; readonly resource: string; readonly requested: number; readonly available: number };

/** Key of a unit; `share` counts from 0. */
export function unitKey(resource: string, path: string, share: number): string {
  return share === 0 ? `${resource}=${path}` : `${resource}=${path}#${share + 1}`;
}

/**
 * Chooses units for a container: those it has already, then those its pod's ended containers leave (`reusable`), then free
 * ones in the order of the configuration. No unit is given to two holders. Pure; never throws.
 */
export function allocateDevices(
  wanted: Readonly<Record<string, number>>,
  units: readonly DeviceUnit[],
  held: ReadonlyMap<string, DeviceHolder>,
  holder: DeviceHolder,
  reusable: ReadonlySet<string> = new Set(),
): Allocation {
  const chosen: DeviceUnit[] = [];
  for (const [resource, requested] of Object.entries(wanted)) {
    const own = units.filter((u) => u.resource === resource);
    const mine = own.filter((u) => isHolder(held.get(u.key), holder));
    const left = own.filter((u) => {
      const by = held.get(u.key);
      return (
        by !== undefined && !mine.includes(u) && by.podUid === holder.podUid && reusable.has(by.container)
      );
    });
    const free = own.filter((u) => held.get(u.key) === undefined);
    const usable = [...mine, ...left, ...free];
    if (usable.length < requested) return { ok: false, resource, requested, available: usable.length };
    chosen.push(...usable.slice(0, requested));
  }
  return { ok: true, units: chosen };
}

/** Kubernetes' words for a container whose devices cannot be had. */
export function shortageText(short: Extract<Allocation, { ok: false }>): string {
  const { resource, requested, available } = short;
  return (
    `Allocate failed due to requested number of devices unavailable for ${resource}. ` +
    `Requested: ${requested}, Available: ${available}, which is unexpected`
  );
}

/** What a container was given: the units' keys with the kernel's numbers of their nodes at that time. */
export type GivenDevices = Readonly<Record<string, string>>;

/** The given devices of units, as labels keep them. */
export function givenDevices(units: readonly DeviceUnit[]): GivenDevices {
  return Object.fromEntries(units.map((unit) => [unit.key, unit.nodes.map((n) => n.number).join(',')]));
}

/** True when a device is back under another number: the container still has the node of the old one. */
export function hasMoved(given: GivenDevices | undefined, present: GivenDevices): boolean {
  return Object.entries(given ?? {}).some(([key, was]) => present[key] !== undefined && present[key] !== was);
}

/** How many units of each resource are there; resources without any count 0. */
export function deviceCounts(
  resources: readonly string[],
  units: readonly DeviceUnit[],
): Record<string, number> {
  return Object.fromEntries(resources.map((name) => [name, units.filter((u) => u.resource === name).length]));
}

function isHolder(a: DeviceHolder | undefined, b: DeviceHolder): boolean {
  return a?.podUid === b.podUid && a.container === b.container;
}
