/**
 * The agent's pods on an engine that never notices a process killed for its memory, as Docker 20.10 now and then with cgroup v2.
 * Driven by JSON lines like pod-agent.ts.
 */
import type { ContainerView } from '../../edge-agent/decide/container.ts';
import { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import type { ContainerEvent } from '../../edge-agent/runtime/docker-view.ts';
import { OomLog } from '../../edge-agent/sensors/oom-log.ts';
import { silentLogger } from '../../kit/logger.ts';
import { drivePods } from './driven-pods.ts';

/** Forgets every word of the engine on memory. */
class DeafRuntime extends DockerRuntime {
  override async list(signal?: AbortSignal): Promise<ContainerView[]> {
    return (await super.list(signal)).map(unaware);
  }

  override async inspect(id: string, signal?: AbortSignal): Promise<ContainerView | undefined> {
    const view = await super.inspect(id, signal);
    return view && unaware(view);
  }

  override async events(signal: AbortSignal): Promise<AsyncIterable<ContainerEvent>> {
    return withoutOom(await super.events(signal));
  }
}

function unaware({ oomKilled, ...view }: ContainerView): ContainerView {
  return oomKilled === undefined ? view : { ...view, oomKilled: false };
}

async function* withoutOom(events: AsyncIterable<ContainerEvent>): AsyncGenerator<ContainerEvent> {
  for await (const event of events) if (event.type !== 'oom') yield event;
}

const oomLog = new OomLog(silentLogger);
await drivePods((options) => new DeafRuntime(options), { oomKilled: (id) => oomLog.names(id) });
