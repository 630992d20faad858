/** For tests of this room and of the agent's app: servers that misbehave, and one that speaks the handset protocol. */
export * from './test-server.js';
export { CAMPAIGN, DEVICE, MusterSimulator, offer, signedJws } from './simulator.js';
export { restMs, spreadMs } from './backoff.js';
