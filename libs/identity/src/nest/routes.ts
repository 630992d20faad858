import { DeliverRulesHandler } from './deliver-rules.handler.js';
import { Controllers } from './controllers.js';
import { DevicesController } from './devices.controller.js';
import { EnrolController } from './enrol.controller.js';
import { EnrolHandler } from './enrol.handler.js';
import { EnrolmentCodesController } from './enrolment-codes.controller.js';
import { Handsets } from './handsets.js';
import { KeepAttributesHandler } from './kept-attributes.js';
import { LoginThrottle } from './login-throttle.js';
import {
  CountDevicesHandler,
  GetDeviceHandler,
  GetPersonHandler,
  ListIdentityHandler,
  ListTenantsHandler,
  SearchDevicesHandler,
} from './read-identity.handler.js';
import { RunControllerHandler } from './run-controller.handler.js';
import { RunEnrolmentHandler } from './run-enrolment.handler.js';
import { RunHandsetHandler } from './run-handset.handler.js';
import { RunPersonHandler } from './run-person.handler.js';
import { CloseSessionHandler, OpenSessionHandler } from './session.handler.js';
import { RunTenantHandler } from './run-tenant.handler.js';
import { IssueTokenHandler, RevokeTokenHandler } from './token.handler.js';
import { SessionsController } from './sessions.controller.js';
import { TenantsController } from './tenants.controller.js';
import { TokensController } from './tokens.controller.js';
import { UsersController } from './users.controller.js';

/** Commands and queries behind the routes. */
export const handlers = [
  Controllers,
  Handsets,
  LoginThrottle,
  DeliverRulesHandler,
  EnrolHandler,
  RunControllerHandler,
  KeepAttributesHandler,
  RunEnrolmentHandler,
  RunHandsetHandler,
  RunPersonHandler,
  CloseSessionHandler,
  OpenSessionHandler,
  RunTenantHandler,
  IssueTokenHandler,
  RevokeTokenHandler,
  CountDevicesHandler,
  GetDeviceHandler,
  GetPersonHandler,
  ListIdentityHandler,
  ListTenantsHandler,
  SearchDevicesHandler,
];
export const controllers = [
  DevicesController,
  EnrolController,
  EnrolmentCodesController,
  SessionsController,
  TenantsController,
  TokensController,
  UsersController,
];
