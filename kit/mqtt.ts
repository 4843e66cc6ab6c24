/** The MQTT client library, named here once for both programs. */
export { connect, type IClientOptions, MqttClient } from 'mqtt';
