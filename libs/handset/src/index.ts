/** The agent of a handset: stored rules wake it, what it knows of itself stays with it. No framework, no database. */
export { Agent, type AgentOptions, connectByHttps, createAgent } from './agent.js';
export { attributesFromFile, type Collected } from './attributes.js';
export { commandHooks, type HookCommands } from './command-hooks.js';
export { enrolHandset } from './enrolment.js';
export { HandsetError, type HandsetErrorCode, hasCode, isRefusal } from './errors.js';
export { type GateSettings } from './gates.js';
export { type DeviceIdentity, type Enrolment, readIdentity } from './identity.js';
export { type ExplainedOffer } from './offers.js';
export type { Candidate, Hooks, HttpAnswer, HttpRequest, Random, Recorder, Transport } from './ports.js';
export { type PollOutcome } from './round.js';
export { type AgentStatus } from './status.js';
export { type Appender, fileStore, type Store } from './store.js';
export { fetchFile } from './catalogue-client.js';
export { httpsTransport, type TransportOptions } from './transport.js';
