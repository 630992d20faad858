/**
 * The door of the package `@muster/handset`: the agent and its ports, which stand for everything that has an operating
 * system, a network or a rule language below it.
 */
export { Agent, type AgentOptions, createAgent } from './agent.js';
export { type Collected } from './attributes.js';
export { type CatalogueClient } from './catalogue.js';
export { HandsetError, type HandsetErrorCode, hasCode, isRefusal } from './errors.js';
export { type Explanation } from '#matching/index.js';
export { type GateSettings } from './gates.js';
export { type DeviceIdentity, readIdentity } from './identity.js';
export type { Candidate, Hooks, HttpAnswer, HttpRequest, Random, Recorder, Transport } from './ports.js';
export { type PollOutcome } from './round.js';
export { type RuleEngine } from './rule-engine.js';
export { type AgentStatus } from './status.js';
export { type Appender, type Store } from './store.js';
