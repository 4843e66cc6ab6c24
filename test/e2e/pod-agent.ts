/**
 * The agent's pods and runtime as a process of their own, driven by JSON lines: desired states come in on stdin, reports
 * go out on stdout. Tests kill and restart it as they would the agent.
 */
import { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import { drivePods } from './driven-pods.ts';

await drivePods((options) => new DockerRuntime(options));
