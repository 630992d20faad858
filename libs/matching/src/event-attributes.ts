import type { AttributeSchema } from './attributes.js';

/** What can set a trigger off. `timer` is the agent's own clock, `manual` a person. */
export const TRIGGER_EVENTS = [
  'boot',
  'timer',
  'network',
  'country-changed',
  'charging',
  'card-changed',
  'terminal-changed',
  'memory-below',
  'app-started',
  'app-changed',
  'nfc-field',
  'location',
  'push',
  'manual',
] as const;
export type TriggerEvent = (typeof TRIGGER_EVENTS)[number];

/** What a trigger's rule can read of the occurrence; an event that does not tell one leaves it unknown. */
export const EVENT_SCHEMA: AttributeSchema = {
  version: 1,
  attributes: {
    on: { type: 'string', description: 'the kind of event, as in the trigger' },
    network: { type: 'string', description: 'network: wifi, cellular, ethernet, none' },
    metered: { type: 'bool', description: 'network: whether bytes cost money' },
    roaming: { type: 'bool', description: 'network, country-changed: whether the subscriber is abroad' },
    country: { type: 'string', description: 'country-changed: ISO 3166-1 alpha-2, where the device is now' },
    previousCountry: { type: 'string', description: 'country-changed: where it was' },
    charging: { type: 'bool', description: 'charging: plugged in or not' },
    battery: { type: 'int', description: 'charging: per cent' },
    card: { type: 'string', description: 'card-changed: kind of card, e.g. uicc, sd' },
    present: { type: 'bool', description: 'card-changed, nfc-field: there or gone' },
    terminal: { type: 'string', description: 'terminal-changed: model the element is in now' },
    freeBytes: { type: 'int', description: 'memory-below: what is left' },
    memory: { type: 'string', description: 'memory-below: device or the name of an element' },
    app: { type: 'string', description: 'app-started, app-changed: its identifier' },
    appVersion: { type: 'string', description: 'app-started, app-changed: its version' },
    latitude: { type: 'double', description: 'location: degrees north' },
    longitude: { type: 'double', description: 'location: degrees east' },
    place: { type: 'string', description: 'location: a name that the platform knows' },
    topic: { type: 'string', description: 'push: what the message says it is about' },
  },
};
