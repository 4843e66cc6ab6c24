/** A process full of simulated devices: `node devices-main.ts HUB_DIR MQTT_URL FOLDER NAME...`. Ends by a signal, cleanly or not. */
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { loadProfiles } from '../../edge-agent/sensors/profile-files.ts';
import { openAuthority } from '../../hub/pki/authority.ts';
import { systemClock } from '../../kit/clock.ts';
import { createLogger } from '../../kit/logger.ts';
import { startDevice } from './device.ts';

const [hubDir = '', mqttUrl = '', folder = '', ...names] = process.argv.slice(2);
const log = createLogger('error');
setMaxListeners(0);
// Timers of the agents do not keep a process alive, as in the real one.
setInterval(() => undefined, 2 ** 30);
const authority = await openAuthority(join(hubDir, 'pki'), { hosts: ['127.0.0.1'], clock: systemClock, log });
const { files: profiles } = await loadProfiles([]);
for (const name of names) await startDevice({ folder, authority, mqttUrl, profiles, log }, name);
process.stdout.write('started\n');
