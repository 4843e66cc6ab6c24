import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { PodStatus } from '../../protocol/kinds/pod.ts';
import type { EventReport, NodeFacts, PodReport } from '../../protocol/wire/messages.ts';
import type { DesiredLine } from './desired-line.ts';
import { type PrivateEngine, startEngine, until } from './private-engine.ts';

const TSX = import.meta.resolve('tsx');
const PROGRAM = fileURLToPath(new URL('./pod-agent.ts', import.meta.url));
const DEFAULT_LIMIT_MS = 20_000;

/** One private engine with an agent that can be killed and started again, and what it has reported. */
export class AgentWorld {
  readonly engine: PrivateEngine;
  readonly reports: PodReport[] = [];
  readonly events: EventReport[] = [];
  /** Facts of the node, newest last; only of agents that tell them. */
  readonly facts: NodeFacts[] = [];
  #desired: DesiredLine | undefined;
  #agent: ChildProcess | undefined;

  private constructor(engine: PrivateEngine) {
    this.engine = engine;
  }

  static async start(): Promise<AgentWorld> {
    const world = new AgentWorld(await startEngine());
    world.startAgent();
    return world;
  }

  /** An engine whose agent the test starts itself. */
  static async withoutAgent(): Promise<AgentWorld> {
    return new AgentWorld(await startEngine());
  }

  /** Replaces the whole desired state; the node's range is set unless given. */
  desire(line: DesiredLine): void {
    this.#desired = { node: { podCIDR: '10.201.7.0/24' }, ...line };
    this.#send();
  }

  /** Starts an agent; `program` takes the arguments of pod-agent.ts and then `more`. */
  startAgent(program = PROGRAM, ...more: readonly string[]): void {
    const folder = this.engine.folder;
    const run = join('/run', 'coxswain');
    const args = [
      process.execPath,
      '--import',
      TSX,
      program,
      this.engine.socketPath,
      join(folder, 'agent'),
      run,
      ...more,
    ];
    const agent = this.engine.spawnInside(args);
    this.#agent = agent;
    const output = agent.stdout;
    if (output === null) throw new Error('agent has no output');
    createInterface({ input: output }).on('line', (line) => {
      const { status, event, facts } = JSON.parse(line) as {
        status?: PodReport;
        event?: EventReport;
        facts?: NodeFacts;
      };
      if (facts !== undefined) this.facts.push(facts);
      if (status !== undefined) this.reports.push(status);
      if (event !== undefined) this.events.push(event);
    });
    // A killed agent's input breaks; what it was told is sent again to the next one.
    agent.stdin?.on('error', () => undefined);
    if (this.#desired !== undefined) this.#send();
  }

  async killAgent(): Promise<void> {
    const agent = this.#agent;
    if (agent === undefined || agent.exitCode !== null) return;
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    agent.kill('SIGKILL');
    await ended;
    this.#agent = undefined;
  }

  /** Newest status reported of a pod. */
  status(name: string): PodStatus | undefined {
    return this.reports.findLast((r) => r.name === name)?.status;
  }

  isReady(name: string): boolean {
    return this.status(name)?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
  }

  restarts(name: string, container = 'main'): number {
    const status = this.status(name)?.containerStatuses?.find((c) => c.name === container);
    return status?.restartCount ?? -1;
  }

  /** Id of the running container of this name, as the engine shows it. */
  async containerId(pod: string, container = 'main'): Promise<string> {
    return this.engine.docker(
      ...['ps', '-q', '--no-trunc'],
      ...['--filter', `label=coxswain.dev/pod-uid=uid-${pod}`],
      ...['--filter', `label=coxswain.dev/container=${container}`],
    );
  }

  async waitReady(name: string): Promise<void> {
    await this.wait(`${name} ready`, () => this.isReady(name));
  }

  /** Waits for an event of the pod: it comes apart from the status that it explains. */
  told(pod: string, reason: string): Promise<void> {
    return this.wait(`${reason} of ${pod}`, () => this.eventReasons(pod).includes(reason));
  }

  /** Waits for a condition; on failure the newest reports are part of the message. */
  async wait(
    what: string,
    holds: () => boolean | Promise<boolean>,
    limitMs = DEFAULT_LIMIT_MS,
  ): Promise<void> {
    try {
      await until(what, holds, limitMs);
    } catch (error) {
      const recent = this.reports.slice(-3).map((r) => JSON.stringify(r).slice(0, 900));
      const events = this.events.slice(-8).map((e) => `${e.reason}: ${e.message}`);
      throw new Error([String(error), ...recent, ...events].join('\n'));
    }
  }

  eventReasons(pod: string): string[] {
    return this.events.filter((e) => e.involved.name === pod).map((e) => e.reason);
  }

  async stop(): Promise<void> {
    await this.killAgent();
    await this.engine.stop();
  }

  #send(): void {
    this.#agent?.stdin?.write(`${JSON.stringify(this.#desired)}\n`);
  }
}
