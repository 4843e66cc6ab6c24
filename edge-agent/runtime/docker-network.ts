import type Docker from 'dockerode';
import { RuntimeError } from '../decide/runtime-error.ts';

/** The node's pod network: a bridge of its own with a fixed name and range. */
export interface PodNetwork {
  readonly name: string;
  readonly bridge: string;
  readonly cidr: string;
  readonly gateway: string;
  readonly masquerade: boolean;
}

const BRIDGE_NAME = 'com.docker.network.bridge.name';
const MASQUERADE = 'com.docker.network.bridge.enable_ip_masquerade';

interface NetworkInspection {
  readonly Driver?: string;
  readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string; readonly Gateway?: string }[] };
  readonly Options?: Readonly<Record<string, string>>;
  readonly Containers?: Readonly<Record<string, unknown>>;
}

/** Makes the network; a differing one is replaced when nothing is attached to it, else NetworkConflict. */
export async function ensurePodNetwork(
  docker: Docker,
  network: PodNetwork,
  signal?: AbortSignal,
): Promise<void> {
  const existing = await inspectNetwork(docker, network.name);
  if (existing !== undefined && matches(existing, network)) return;
  if (existing !== undefined) {
    const attached = Object.keys(existing.Containers ?? {}).length;
    if (attached > 0) {
      const range = existing.IPAM?.Config?.[0]?.Subnet ?? 'another range';
      const text = `network ${network.name} has ${range} and ${attached} running containers, not ${network.cidr}`;
      throw new RuntimeError('NetworkConflict', text);
    }
    await docker.getNetwork(network.name).remove();
  }
  await docker.createNetwork({
    Name: network.name,
    Driver: 'bridge',
    CheckDuplicate: true,
    IPAM: { Driver: 'default', Config: [{ Subnet: network.cidr, Gateway: network.gateway }] },
    Options: { [BRIDGE_NAME]: network.bridge, [MASQUERADE]: String(network.masquerade) },
    Labels: { 'coxswain.dev/network': 'pods' },
    ...(signal ? { abortSignal: signal } : {}),
  });
}

function matches(existing: NetworkInspection, network: PodNetwork): boolean {
  const config = existing.IPAM?.Config?.[0];
  return (
    existing.Driver === 'bridge' &&
    config?.Subnet === network.cidr &&
    config.Gateway === network.gateway &&
    existing.Options?.[BRIDGE_NAME] === network.bridge &&
    existing.Options[MASQUERADE] === String(network.masquerade)
  );
}

async function inspectNetwork(docker: Docker, name: string): Promise<NetworkInspection | undefined> {
  try {
    return (await docker.getNetwork(name).inspect()) as NetworkInspection;
  } catch (error) {
    if ((error as { statusCode?: unknown }).statusCode === 404) return undefined;
    throw error;
  }
}
