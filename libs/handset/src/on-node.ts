import { type AgentOptions } from './agent.js';
import { tufCatalogue } from './catalogue-client.js';
import { renew } from './certify.js';
import { type DeviceIdentity } from './identity.js';
import { type Transport } from './ports.js';
import { httpsTransport } from './transport.js';

export const connectByHttps = ({ server, serverCa, certificate, key }: DeviceIdentity): Transport =>
  httpsTransport({ origin: server, ca: serverCa, certificate, key });

/** The ports of an agent that lives in Node, its store and its rules apart. */
export const onNode = (): Pick<AgentOptions, 'catalogue' | 'connect' | 'renew'> => ({
  catalogue: tufCatalogue(),
  connect: connectByHttps,
  renew,
});
