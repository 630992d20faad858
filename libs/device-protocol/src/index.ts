/** The handset protocol as types and limits: one definition for server, agent and tests. Prose: deploy/protocol.md. */
export * from './availability.js';
export * from './catalogue.js';
export * from './grant.js';
export * from './headers.js';
export * from './requests.js';
