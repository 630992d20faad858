/** The agent of a handset: stored rules wake it, what it knows of itself stays with it. No framework, no database. */
export { Agent } from './agent.js';
export { attributesFromFile } from './attribute-file.js';
export { type Collected } from './attributes.js';
export { commandHooks, type HookCommands } from './command-hooks.js';
export { type Enrolment } from './certify.js';
export { HandsetError, type HandsetErrorCode, hasCode, isRefusal } from './errors.js';
export { type GateSettings } from './gates.js';
export { type DeviceIdentity, readIdentity } from './identity.js';
export { connectByHttps } from './on-node.js';
export { type ExplainedOffer } from './explain.js';
export type { Candidate, Hooks, HttpAnswer, HttpRequest, Random, Recorder, Transport } from './ports.js';
export { type PollOutcome } from './round.js';
export { type AgentStatus } from './status.js';
export { fileStore } from './file-store.js';
export { type Appender, type Store } from './store.js';
export { type AgentOptions, createAgent, enrolHandset } from './whole-agent.js';
export { fetchFile } from './catalogue-client.js';
export { httpsTransport, type TransportOptions } from './transport.js';
