import type { EnrolAnswer } from '#device-protocol/index.js';

/** What a handset of a channel starts from, given by whoever publishes catalogues. */
export interface EnrolCatalogue {
  material(tenant: string, channel: string): Promise<Pick<EnrolAnswer, 'tuf' | 'root' | 'rules' | 'intervalSeconds'>>;
}

/** Injection token of an `EnrolCatalogue`. Any module of the app may provide it: it is looked for at the first enrolment. */
export const ENROL_CATALOGUE = Symbol('enrol-catalogue');
