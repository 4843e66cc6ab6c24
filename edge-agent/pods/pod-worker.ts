import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { PodStatus } from '../../protocol/kinds/pod.ts';
import type { PodReport } from '../../protocol/wire/messages.ts';
import { type ContainerView, newest } from '../decide/container.ts';

import { nextPodAction } from '../decide/next-pod-action.ts';
import { containerMemory } from '../decide/pod-memory.ts';
import { plannedContainers } from '../decide/pod-shape.ts';
import { podStatus } from '../decide/pod-status.ts';
import { type PodView, plannedOf, runOf } from '../decide/pod-view.ts';
import { applyVerdict, type ProbeKind } from '../decide/probe.ts';
import { volumeRevision } from '../decide/volume-files.ts';
import { perform } from './perform.ts';
import { nodeContext, type PodCell, type Tools } from './pod-cell.ts';
import { recordOf, writeRecord } from './pod-record.ts';
import { PodProbes, type ProbedContainer } from './probes.ts';

/** Actions of one round; more mean that the pod is in a loop of its own, and others should have their turn. */
const MAX_ACTIONS = 64;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What became of one round: look again after a while, or when woken; `gone` when nothing of the pod is left. */
export type Round = { readonly again?: number; readonly gone?: boolean };

/**
 * The serial worker of one pod: observe, decide, perform, observe again. Its caller never runs two rounds at once.
 * Reports every change of status once.
 */
export class PodWorker {
  readonly cell: PodCell;
  readonly #tools: Tools;
  readonly #probes: PodProbes;
  readonly #onStatus: (report: PodReport) => void;
  #status: PodStatus | undefined;
  #reported: PodReport | undefined;
  #written: object | undefined;
  #revisionOf: readonly unknown[] = [];
  #backoffTold = '';

  constructor(
    tools: Tools,
    cell: PodCell,
    status: PodStatus | undefined,
    onStatus: (report: PodReport) => void,
  ) {
    this.#tools = tools;
    this.cell = cell;
    this.#status = status;
    this.#onStatus = onStatus;
    this.#probes = new PodProbes(tools.runtime, tools.clock, tools.log, {
      onVerdict: (id, kind, verdict) => this.#onVerdict(id, kind, verdict),
      onFailure: (id, kind, message) => this.#onProbeFailure(id, kind, message),
    });
  }

  /** True when the pod goes because nobody wants it any more: then nothing is reported of it. */
  get isRemoved(): boolean {
    return this.cell.memory.terminating?.why === 'Removed';
  }

  /** The pod's newest status and whether it is gone, for the inventory. */
  report(): PodReport {
    return this.#reported ?? this.#makeReport(this.cell.view(this.#tools));
  }

  /** Brings the pod as near to its desired state as is possible now. */
  async look(signal: AbortSignal): Promise<Round> {
    for (let actions = 0; actions < MAX_ACTIONS && !signal.aborted; actions++) {
      this.#refreshRevision();
      const view = this.cell.view(this.#tools);
      const action = nextPodAction(view);
      // An end is told when it is durable and its last words are known: once, and never again as anything else.
      if (action.do !== 'end') this.#publish(view);
      if (action.do === 'idle' || action.do === 'wait') {
        await this.#settle(view);
        if (this.cell.memory.gone) return { gone: true };
        return action.do === 'wait' ? { again: action.untilMs - view.nowMs } : {};
      }
      this.#tools.log.debug('pod action', { key: this.cell.uid, action });
      await perform(this.#tools, this.cell, action, signal);
    }
    return { again: 0 };
  }

  /** Reports what the containers tell and does nothing to them: the desired state is not known yet. */
  watch(): void {
    this.#publish(this.cell.view(this.#tools));
  }

  /** Stops probes; touches no container. */
  stop(): void {
    this.#probes.stop();
  }

  async #settle(view: PodView): Promise<void> {
    this.#syncProbes(view);
    this.#tellBackoff(view);
    if (this.cell.memory.gone || this.cell.memory.released) return;
    const record = recordOf(this.cell.memory, this.#status);
    if (isDeepStrictEqual(record, this.#written)) return;
    await writeRecord(this.#tools.volumes.paths(this.cell.uid), record);
    this.#written = record;
  }

  #publish(view: PodView): void {
    if (this.cell.removed || this.isRemoved) return;
    const report = this.#makeReport(view);
    if (isDeepStrictEqual(report, this.#reported)) return;
    const { phase } = report.status;
    if (phase !== this.#reported?.status.phase || report.gone === true)
      this.#tools.log.info('pod phase', {
        key: `${report.namespace}/${report.name}`,
        phase,
        gone: report.gone === true,
      });
    this.#reported = report;
    this.#onStatus(report);
  }

  #makeReport(view: PodView): PodReport {
    const { node, clock } = this.#tools;
    const status = podStatus(view, {
      hostIp: node.hostIp(),
      wallMs: clock.nowMs(),
      ...(this.#status === undefined ? {} : { previous: this.#status }),
    });
    this.#status = status;
    const { name, namespace = 'default' } = this.cell.pod.metadata;
    const gone = this.cell.memory.gone ? { gone: true } : {};
    return { uid: this.cell.uid, namespace, name, ...gone, status };
  }

  /** Hashing a large ConfigMap at every look would cost more than the look. */
  #refreshRevision(): void {
    const { pod, config, memory } = this.cell;
    const inputs = [pod, config, memory.ip, this.#tools.node.hostIp()];
    if (inputs.every((value, i) => value === this.#revisionOf[i])) return;
    this.#revisionOf = inputs;
    this.cell.volumeRevision = volumeRevision(pod, config, nodeContext(this.#tools, this.cell), sha256);
  }

  #syncProbes(view: PodView): void {
    const { terminating, ended } = view.memory;
    const { clock } = this.#tools;
    const probed: ProbedContainer[] = [];
    for (const planned of terminating || ended ? [] : plannedContainers(view.pod.spec)) {
      const container = newest(view.containers, planned.spec.name);
      if (container?.state !== 'running') continue;
      const ranMs = Math.max(0, clock.nowMs() - (container.startedAtMs ?? clock.nowMs()));
      probed.push({
        containerId: container.id,
        container: planned.spec,
        host: nodeContext(this.#tools, this.cell).podIp,
        startedMs: clock.monotonicMs() - ranMs,
        run: runOf(view, container),
      });
    }
    this.#probes.sync(probed);
  }

  #onVerdict(id: string, kind: ProbeKind, verdict: boolean): void {
    const container = this.#tools.observer.get(id);
    if (container?.state !== 'running') return;
    const before = this.cell.run(this.#tools, container);
    const after = applyVerdict(before, kind, verdict);
    if (after === before) return;
    this.cell.changeRun(container, after);
    this.#tools.wake(this.cell.uid);
  }

  #onProbeFailure(id: string, kind: ProbeKind, message: string): void {
    const container = this.#tools.observer.get(id);
    if (container?.state !== 'running' || this.cell.memory.terminating !== undefined) return;
    const title = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    this.#tools.events.warning(
      this.cell.pod,
      'Unhealthy',
      `${title} probe failed: ${message}`,
      container.name,
    );
  }

  /** One BackOff event for every container that ended and now waits. */
  #tellBackoff(view: PodView): void {
    const waiting: ContainerView[] = [];
    for (const status of this.#status?.containerStatuses ?? []) {
      const container = newest(view.containers, status.name);
      if (status.state?.waiting?.reason === 'CrashLoopBackOff' && container) waiting.push(container);
      if (status.state?.waiting?.reason === 'ImagePullBackOff') this.#tellPullBackoff(view, status.name);
    }
    const key = waiting.map((c) => c.id).join(' ');
    if (key === '' || key === this.#backoffTold) return;
    this.#backoffTold = key;
    for (const { name } of waiting) {
      const { name: pod, namespace = 'default', uid } = view.pod.metadata;
      const text = `Back-off restarting failed container ${name} in pod ${pod}_${namespace}(${uid})`;
      this.#tools.events.warning(view.pod, 'BackOff', text, name);
    }
  }

  #tellPullBackoff(view: PodView, name: string): void {
    const { image } = containerMemory(view.memory, name);
    const ref = plannedOf(view.pod, name)?.spec.image;
    const key = image?.state === 'failed' ? `${ref} ${image.failure.failures}` : '';
    if (key === '' || key === this.#backoffTold) return;
    this.#backoffTold = key;
    this.#tools.events.normal(view.pod, 'BackOff', `Back-off pulling image "${ref}"`, name);
  }
}
