import { setting } from '../kit/config.ts';

/** Settings of the agent; see `cox agent --help`. */
export const agentSettings = {
  dataDir: setting.text('where the device keeps its state', '/var/lib/coxswain', 'COX_AGENT_DATA_DIR'),
  runDir: setting.text('memory-backed directory for what must not reach the card', '/run/coxswain'),
  dockerSocket: setting.text('socket of the container engine', '/var/run/docker.sock', 'COX_DOCKER_SOCKET'),
  profile: setting.list('profiles instead of the board’s own, or variants on top: names or YAML files', []),
  network: setting.text('name of the pod network on the engine', 'coxswain'),
  bridge: setting.text('name of the bridge of that network', 'cox0'),
  diskPath: setting.text('a path on the file system whose use counts, if not that of the data directory', ''),
  logLevel: setting.choice(
    'what to log',
    ['info', 'debug', 'warn', 'error'] as const,
    'info',
    'COX_LOG_LEVEL',
  ),
  offline: setting.flag('never talk to the hub: run what the cache holds'),
  printConfig: setting.flag('print the settings and where each came from, then end'),
  printInventory: setting.flag('print what the board is as JSON, then end'),
  help: setting.flag('print this text, then end'),
} as const;
