import { toTime } from '../../kit/clock.ts';
import { inParallel } from '../../kit/parallel.ts';
import type { CronJob, Job } from '../../protocol/kinds/batch.ts';
import type { ObjectReference } from '../../protocol/kinds/meta.ts';
import type { Change, NewObject } from '../cluster.ts';
import { sameJson } from '../decide/content-hash.ts';
import { type CronDue, cronDue } from '../decide/cron-due.ts';
import { type CronNote, type CronPlan, planCronJob } from '../decide/cron-job.ts';
import { parseCron } from '../decide/cron-schedule.ts';
import { type CronZone, localTime, openZone, UTC } from '../decide/cron-zone.ts';
import { jobFinished } from '../decide/job-facts.ts';
import { controllerUid } from '../decide/pod-facts.ts';
import { isApiError, keyOf, type Loop, type LoopDeps, referenceTo, splitKey, tolerant } from '../loop.ts';
import type { Alarm } from './alarm.ts';
import { controllerDeps, ObjectLoop } from './object-loop.ts';
import { controllerReference, errorText } from './pod-control.ts';

const SCHEDULED = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
const WRITES_IN_FLIGHT = 16;

/** What the controller remembers of a CronJob between passes; losing it costs a look and perhaps a second Event. */
interface Memory {
  nextMs: number | undefined;
  /** Notes about one scheduled time that were told: reason to time. */
  readonly told: Map<string, number>;
}

/**
 * Makes Jobs of CronJobs when they fall due and clears away old ones. The name of a Job follows from its scheduled time, so one
 * time never starts two. The alarm is set only while some CronJob is not suspended.
 */
export class CronJobController implements Loop {
  readonly #deps: LoopDeps;
  readonly #alarm: Alarm;
  readonly #loop: ObjectLoop;
  readonly #zones = new Map<string, CronZone>();
  readonly #memory = new Map<string, Memory>();
  #rangAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LoopDeps, alarm: Alarm) {
    this.#deps = controllerDeps(deps, 'cron-job');
    this.#alarm = alarm;
    this.#loop = new ObjectLoop(deps, {
      name: 'cron-job',
      kind: 'CronJob',
      reconcile: (key) => this.#reconcile(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#loop.start(signal);
  }

  stop(): Promise<void> {
    this.#alarm.unset();
    return this.#loop.stop();
  }

  #onChange({ kind, object, previous }: Change): void {
    if (kind !== 'Job') return;
    for (const job of previous === undefined ? [object] : [object, previous]) {
      const uid = controllerUid(job as Job);
      const cron = uid === undefined ? undefined : this.#deps.view.byUid('CronJob', uid);
      if (cron !== undefined) this.#loop.add(keyOf(cron));
    }
  }

  #ring(): void {
    const nowMs = this.#deps.clock.nowMs();
    const isSetBack = nowMs < this.#rangAtMs;
    this.#rangAtMs = nowMs;
    for (const [key, { nextMs }] of this.#memory)
      if (isSetBack || (nextMs !== undefined && nextMs <= nowMs)) this.#loop.add(key);
  }

  async #reconcile(key: string): Promise<void> {
    const { view, log } = this.#deps;
    const { namespace, name } = splitKey(key);
    const cron = view.get('CronJob', namespace, name);
    const waits =
      cron !== undefined && cron.spec.suspend !== true && cron.metadata.deletionTimestamp === undefined;
    if (!waits) this.#forget(key);
    if (cron === undefined) return;
    const due = waits ? this.#due(key, cron) : undefined;
    const jobs = view.ownedBy('Job', cron.metadata.uid);
    const plan = planCronJob(cron, jobs, due, (startMs) => jobName(cron, startMs));
    const { startMs, replace, forget } = plan;
    log.debug('cron job plan', { key, startMs, replace: replace.length, forget: forget.length });
    this.#tell(key, cron, plan.notes);
    await inParallel(forget, WRITES_IN_FLIGHT, (job) => this.#remove(cron, job));
    await inParallel(replace, WRITES_IN_FLIGHT, (job) => this.#remove(cron, job));
    const made = startMs === undefined ? undefined : await this.#make(cron, startMs);
    await this.#writeStatus(cron, plan, made);
  }

  #forget(key: string): void {
    this.#memory.delete(key);
    if (this.#memory.size === 0) this.#alarm.unset();
  }

  #due(key: string, cron: CronJob): CronDue | undefined {
    const memory = this.#memory.get(key) ?? { nextMs: undefined, told: new Map() };
    this.#memory.set(key, memory);
    this.#alarm.set(() => this.#ring());
    const schedule = parseCron(cron.spec.schedule);
    const zone = this.#zone(cron.spec.timeZone);
    // Refused when the object is written; an object of another version's time can still have them.
    if (schedule === undefined || zone === undefined) {
      const [reason, message] =
        schedule === undefined
          ? ['UnparseableSchedule', `unparseable schedule: ${JSON.stringify(cron.spec.schedule)}`]
          : ['UnknownTimeZone', `invalid timeZone: ${JSON.stringify(cron.spec.timeZone)}`];
      this.#tell(key, cron, [{ type: 'Warning', reason, message, aboutMs: 0 }]);
      return undefined;
    }
    const due = cronDue(cron, schedule, zone, this.#deps.clock.nowMs());
    memory.nextMs = due.nextMs;
    return due;
  }

  #zone(name: string | undefined): CronZone | undefined {
    const known = this.#zones.get(name ?? '');
    if (known !== undefined) return known;
    const zone = openZone(name);
    if (zone !== undefined) this.#zones.set(name ?? '', zone);
    return zone;
  }

  #tell(key: string, cron: CronJob, notes: readonly CronNote[]): void {
    const told = this.#memory.get(key)?.told;
    for (const { type, reason, message, aboutMs } of notes) {
      if (aboutMs !== undefined && told?.get(reason) === aboutMs) continue;
      if (aboutMs !== undefined) told?.set(reason, aboutMs);
      this.#deps.events.record({ involved: referenceTo(cron), type, reason, message });
    }
  }

  async #remove(cron: CronJob, job: Job): Promise<void> {
    const { client, events } = this.#deps;
    const { namespace = '', name, uid } = job.metadata;
    await tolerant(client.delete('Job', namespace, name, { uid, propagation: 'Background' }));
    const note = { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted job ${name}` } as const;
    events.record({ involved: referenceTo(cron), ...note });
  }

  /** The job of a scheduled time, made now or by an earlier pass that was cut short. */
  async #make(cron: CronJob, startMs: number): Promise<{ job: Job; startMs: number }> {
    const { client, view, events, log } = this.#deps;
    const involved = referenceTo(cron);
    const name = jobName(cron, startMs);
    const present = (): Job | undefined => {
      const job = view.get('Job', cron.metadata.namespace ?? '', name);
      return job !== undefined && controllerUid(job) === cron.metadata.uid ? job : undefined;
    };
    const before = present();
    if (before !== undefined) return { job: before, startMs };
    try {
      const zone = this.#zone(cron.spec.timeZone) ?? UTC;
      const job = await client.create('Job', jobFrom(cron, name, localTime(zone, startMs)));
      log.info('job of a cron job started', { key: keyOf(cron), job: name });
      events.record({ involved, type: 'Normal', reason: 'SuccessfulCreate', message: `Created job ${name}` });
      return { job, startMs };
    } catch (error) {
      const made = isApiError(error, 'AlreadyExists') ? present() : undefined;
      if (made !== undefined) return { job: made, startMs };
      const message = `Error creating job: ${errorText(error)}`;
      events.record({ involved, type: 'Warning', reason: 'FailedCreate', message });
      throw error;
    }
  }

  async #writeStatus(
    cron: CronJob,
    { active, replace, lastSuccessfulTime }: CronPlan,
    made: { job: Job; startMs: number } | undefined,
  ): Promise<void> {
    const { namespace = '', name, uid } = cron.metadata;
    const kept = active.filter((job) => !replace.includes(job));
    const isNew = made !== undefined && !kept.some((job) => job.metadata.uid === made.job.metadata.uid);
    const running = isNew && jobFinished(made.job) === undefined ? [...kept, made.job] : kept;
    await this.#deps.client.modify(
      'CronJob',
      namespace,
      name,
      (draft) => {
        if (draft.metadata.uid !== uid) return false;
        const before = draft.status?.lastScheduleTime;
        const started = made === undefined ? undefined : toTime(made.startMs);
        const last = [before, started]
          .filter((time) => time !== undefined)
          .sort()
          .at(-1);
        const status: CronJob['status'] = {
          ...(running.length === 0 ? {} : { active: running.map((job) => jobReference(job, draft)) }),
          ...(last === undefined ? {} : { lastScheduleTime: last }),
          ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime }),
        };
        if (sameJson(status, draft.status ?? {})) return false;
        draft.status = status;
        return true;
      },
      'status',
    );
  }
}

/** `<cron job>-<minutes since 1970>`, as in Kubernetes. */
function jobName(cron: CronJob, startMs: number): string {
  return `${cron.metadata.name}-${Math.floor(startMs / 60_000)}`;
}

function jobFrom(cron: CronJob, name: string, scheduled: string): NewObject<Job> {
  const { metadata = {}, spec } = cron.spec.jobTemplate;
  return {
    metadata: {
      name,
      namespace: cron.metadata.namespace ?? '',
      ...(metadata.labels && { labels: metadata.labels }),
      annotations: { ...metadata.annotations, [SCHEDULED]: scheduled },
      ownerReferences: [controllerReference(cron)],
    },
    spec,
  };
}

/** As it was when the job was made: a reference that followed the job's versions would be a write for each of them. */
function jobReference({ apiVersion, kind, metadata }: Job, cron: CronJob): ObjectReference {
  const { name, namespace = '', uid, resourceVersion } = metadata;
  const before = cron.status?.active?.find((ref) => ref.uid === uid);
  return before ?? { apiVersion, kind, name, namespace, uid, resourceVersion };
}
