import { setting } from '../kit/config.ts';
import { SERVICE_CIDR } from './decide/service-addresses.ts';

/** Settings of the hub; see `cox hub --help`. */
export const hubSettings = {
  dataDir: setting.text('where the hub keeps its state', '/var/lib/coxswain-hub', 'COX_HUB_DATA_DIR'),
  bind: setting.text('address to listen on', '0.0.0.0', 'COX_HUB_BIND'),
  advertise: setting.list(
    'names and addresses by which devices and people reach the hub',
    [],
    'COX_HUB_ADVERTISE',
  ),
  apiPort: setting.whole('port of the API', 6443, 0, 65_535),
  mqttPort: setting.whole('port of the embedded broker', 8883, 0, 65_535),
  broker: setting.text('use this MQTT broker instead of the embedded one, e.g. mqtts://broker:8883', ''),
  clusterCidr: setting.range('range of all pod addresses', '10.244.0.0/16'),
  serviceCidr: setting.range("range of Services' addresses", SERVICE_CIDR),
  tolerationSeconds: setting.whole(
    'how long pods stay on a lost node unless they say otherwise',
    0,
    0,
    86_400,
  ),
  auditLog: setting.text('file to note every API request in, one JSON line each; none by default', ''),
  auditLogMaxMib: setting.whole('most the audit log and its predecessor may take, in MiB', 32, 1, 65_536),
  logLevel: setting.choice(
    'what to log',
    ['info', 'debug', 'warn', 'error'] as const,
    'info',
    'COX_LOG_LEVEL',
  ),
} as const;
