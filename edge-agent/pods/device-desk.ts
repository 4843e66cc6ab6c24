import type { Container } from '../../protocol/kinds/pod.ts';
import { bytesOf } from '../../protocol/quantity.ts';
import type { ContainerView } from '../decide/container.ts';
import {
  type Allocation,
  allocateDevices,
  type DeviceHolder,
  type DeviceUnit,
  type GivenDevices,
  givenDevices,
} from '../decide/devices.ts';

/** The device resources of the node: their names as configured, and the units that are there now. */
export interface DeviceStock {
  readonly names: readonly string[];
  readonly units: readonly DeviceUnit[];
}

/**
 * Who has which device of the node. A container keeps its units over all its attempts until its pod ends. Invariant: a unit has one
 * holder. Labels of containers recover it, so that a restarted agent gives nothing away that is in use.
 */
export class DeviceDesk {
  readonly #stock: () => DeviceStock;
  readonly #held = new Map<string, DeviceHolder>();

  constructor(stock: () => DeviceStock) {
    this.#stock = stock;
  }

  /** What is plugged in now. */
  present(): GivenDevices {
    return givenDevices(this.#stock().units);
  }

  /** Pods that have a device. */
  holders(): Set<string> {
    return new Set([...this.#held.values()].map((holder) => holder.podUid));
  }

  /** Takes over what the labels of these containers say; those that run come before those that have ended. */
  recover(views: readonly ContainerView[]): void {
    const running = views.filter((v) => v.state !== 'exited');
    const ended = views.filter((v) => v.state === 'exited');
    for (const view of [...running, ...ended]) {
      for (const key of Object.keys(view.devices ?? {})) {
        if (!this.#held.has(key)) this.#held.set(key, { podUid: view.podUid, container: view.name });
      }
    }
  }

  /** Gives a container the devices its limits ask for; `done` are containers of its pod that will not run again. */
  take(podUid: string, container: Container, done: ReadonlySet<string>): Allocation {
    const { names, units } = this.#stock();
    const wanted = Object.entries(container.resources?.limits ?? {})
      .filter(([name]) => names.includes(name))
      .map(([name, quantity]) => [name, bytesOf(quantity)] as const);
    const holder = { podUid, container: container.name };
    const allocation = allocateDevices(Object.fromEntries(wanted), units, this.#held, holder, done);
    if (!allocation.ok) return allocation;
    const keys = new Set(allocation.units.map((unit) => unit.key));
    for (const [key, by] of this.#held) {
      const isMine = by.podUid === podUid && by.container === container.name;
      if (isMine && !keys.has(key)) this.#held.delete(key);
    }
    for (const key of keys) this.#held.set(key, holder);
    return allocation;
  }

  /** Takes back everything a pod has; true when it had anything. */
  free(podUid: string): boolean {
    const keys = [...this.#held].filter(([, by]) => by.podUid === podUid).map(([key]) => key);
    for (const key of keys) this.#held.delete(key);
    return keys.length > 0;
  }
}
