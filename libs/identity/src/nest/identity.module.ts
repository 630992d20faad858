import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { registerStatus } from '#runtime/nest/runtime.module.js';
import { CertificateAuthority } from './authority.js';
import { Bootstrap } from './bootstrap.js';
import { Credentials } from './credentials.js';
import { DeviceConnections, DeviceGuard } from './device.guard.js';
import { Devices } from './devices.js';
import { DevicesController } from './devices.controller.js';
import { EnrolController } from './enrol.controller.js';
import { EnrolHandler } from './enrol.handler.js';
import { EnrolmentCodesController } from './enrolment-codes.controller.js';
import { Handsets } from './handsets.js';
import { LoginThrottle } from './login-throttle.js';
import { CreateIdentity1767100000001 } from './migrations/create-identity.js';
import { PeopleGuard } from './people.guard.js';
import {
  GetDeviceHandler,
  GetPersonHandler,
  ListIdentityHandler,
  ListTenantsHandler,
} from './read-identity.handler.js';
import { RunEnrolmentHandler } from './run-enrolment.handler.js';
import { RunHandsetHandler } from './run-handset.handler.js';
import { RunPersonHandler } from './run-person.handler.js';
import { RunSessionHandler } from './run-session.handler.js';
import { RunTenantHandler } from './run-tenant.handler.js';
import { RunTokenHandler } from './run-token.handler.js';
import { SessionsController } from './sessions.controller.js';
import { STATUSES } from './statuses.js';
import { Tenants } from './tenants.js';
import { TenantsController } from './tenants.controller.js';
import { TokensController } from './tokens.controller.js';
import { UsersController } from './users.controller.js';

export { audit } from './audit.js';
export { CertificateAuthority, type ServerTls } from './authority.js';
export { Bootstrap, type FirstAdministrator } from './bootstrap.js';
export { Caller, Context, contextOf, newCommand, principalOf, requirePrincipal } from './caller.js';
export { Device, DeviceConnections, DeviceGuard } from './device.guard.js';
export { type DeviceIdentity, Devices, type DeviceView } from './devices.js';
export { ENROL_CATALOGUE, type EnrolCatalogue } from './enrol-catalogue.js';
export { Needs, NeedsInDomain, PeopleGuard, SignedIn } from './people.guard.js';
export { idempotentCaller, ShowsSecret } from './shows-secret.js';
export { Tenants, type TenantView } from './tenants.js';

/** In order; they come after those of the event log. */
export const identityMigrations = [CreateIdentity1767100000001];

export interface IdentityOptions {
  /** False for an app that only asks who calls: guards without routes and commands. True when absent. */
  routes?: boolean;
}

const shared = [CertificateAuthority, Credentials, DeviceConnections, DeviceGuard, Devices, PeopleGuard, Tenants];
const withRoutes = [
  Bootstrap,
  Handsets,
  LoginThrottle,
  EnrolHandler,
  RunEnrolmentHandler,
  RunHandsetHandler,
  RunPersonHandler,
  RunSessionHandler,
  RunTenantHandler,
  RunTokenHandler,
  GetDeviceHandler,
  GetPersonHandler,
  ListIdentityHandler,
  ListTenantsHandler,
];
const controllers = [
  DevicesController,
  EnrolController,
  EnrolmentCodesController,
  SessionsController,
  TenantsController,
  TokensController,
  UsersController,
];

registerStatus(STATUSES);

/** People, tokens and device identities: routes, guards, the CA. Global, because every route asks who calls. */
@Module({})
export class IdentityModule {
  static forRoot({ routes = true }: IdentityOptions = {}): DynamicModule {
    return {
      module: IdentityModule,
      global: true,
      imports: [CqrsModule.forRoot()],
      controllers: routes ? controllers : [],
      providers: routes ? [...shared, ...withRoutes] : shared,
      exports: routes ? [...shared, Bootstrap] : shared,
    };
  }
}
