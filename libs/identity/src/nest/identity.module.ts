import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { registerChallenge, registerStatus } from '#runtime/nest/runtime.module.js';
import { CertificateAuthority } from './authority.js';
import { Bootstrap } from './bootstrap.js';
import { Controllers } from './controllers.js';
import { Credentials } from './credentials.js';
import { DeviceConnections, DeviceGuard } from './device.guard.js';
import { Devices } from './devices.js';
import { KeptAttributes } from './kept-attributes.js';
import { CreateIdentity1767100000001 } from './migrations/create-identity.js';
import { NameControllers1767100000003 } from './migrations/name-controllers.js';
import { NoteDeviceChanges1767100000002 } from './migrations/note-device-changes.js';
import { NoteKeptAttributes1767100000004 } from './migrations/note-kept-attributes.js';
import { SearchDevices1767100000005 } from './migrations/search-devices.js';
import { PeopleGuard } from './people.guard.js';
import { controllers, handlers } from './routes.js';
import { CHALLENGES, STATUSES } from './statuses.js';
import { Tenants } from './tenants.js';

export { audit } from './audit.js';
export { CertificateAuthority, type ServerTls } from './authority.js';
export { Bootstrap, type FirstAdministrator } from './bootstrap.js';
export { Caller, Context, contextOf, newCommand, principalOf, requirePrincipal } from './caller.js';
export { Controllers } from './controllers.js';
export { DeliverRules } from './deliver-rules.handler.js';
export { Device, DeviceConnections, DeviceGuard, setDevice } from './device.guard.js';
export { type DeviceIdentity, Devices } from './devices.js';
export { ENROL_CATALOGUE, type EnrolCatalogue } from './enrol-catalogue.js';
export { KeepAttributes, KeptAttributes } from './kept-attributes.js';
export { Needs, NeedsInDomain, PeopleGuard, SignedIn } from './people.guard.js';
export { idempotentCaller, ShowsSecret } from './shows-secret.js';
export { Tenants } from './tenants.js';
export type { DeviceView, TenantView } from './views.dto.js';

/** In order; they come after those of the event log. */
export const identityMigrations = [
  CreateIdentity1767100000001,
  NoteDeviceChanges1767100000002,
  NameControllers1767100000003,
  NoteKeptAttributes1767100000004,
  SearchDevices1767100000005,
];

export interface IdentityOptions {
  /** False for an app that only asks who calls: guards without routes and commands. True when absent. */
  routes?: boolean;
}

const guards = [DeviceConnections, DeviceGuard, PeopleGuard];
const shared = [...guards, CertificateAuthority, Credentials, Devices, KeptAttributes, Tenants];
registerStatus(STATUSES);
registerChallenge(CHALLENGES);

/** People, tokens and device identities: routes, guards, the CA. Global, because every route asks who calls. */
@Module({})
export class IdentityModule {
  static forRoot({ routes = true }: IdentityOptions = {}): DynamicModule {
    return {
      module: IdentityModule,
      global: true,
      imports: [CqrsModule.forRoot()],
      controllers: routes ? controllers : [],
      providers: routes ? [...shared, Bootstrap, ...handlers] : shared,
      exports: routes ? [...shared, Bootstrap, Controllers] : shared,
    };
  }
}
