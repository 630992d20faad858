/** The door of `@muster/handset/node`: enrolment, and the ports of an agent that lives in Node. */
export { attributesFromFile } from './attribute-file.js';
export { tufCatalogue } from './catalogue-client.js';
export { type Enrolment } from './certify.js';
export { commandHooks, type HookCommands } from './command-hooks.js';
export { enrolHandset, type EnrolOptions } from './enrolment.js';
export { fileStore } from './file-store.js';
export { connectByHttps, onNode } from './on-node.js';
export { serverSide, type ServerSideOptions } from './server-side.js';
export { httpsTransport, type TransportOptions } from './transport.js';
