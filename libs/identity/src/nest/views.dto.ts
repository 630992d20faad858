import type { Permission, Role } from '../roles.js';

/** Answers of the routes: classes, so that the OpenAPI document describes them. Nothing here ever holds a hash. */

export class TenantView {
  id!: string;
  name!: string;
  createdAt!: string;
  version!: number;
}

export class TenantsPage {
  items!: TenantView[];
  next!: string | null;
}

export class PersonView {
  id!: string;
  email!: string;
  name!: string;
  roles!: Role[];
  /** Whether the person runs the installation. */
  platform!: boolean;
  /** AID (hex) of the one security domain that the person is confined to. */
  domain!: string | null;
  disabled!: boolean;
  createdAt!: string;
  version!: number;
}

export class PeoplePage {
  items!: PersonView[];
  next!: string | null;
}

/** Who calls, as the credential says. */
export class CallerView {
  tenant!: string;
  kind!: 'person' | 'token';
  id!: string;
  roles!: Role[];
  /** What routes let the caller do, besides those that ask only for being signed in. */
  permissions!: Permission[];
  platform?: boolean;
  domain?: string;
}

export class AccountView extends PersonView {
  tenant!: string;
}

export class OpenedSession {
  /** Bearer token, shown once; absent where it is a cookie. */
  token?: string;
  /** At the latest; it ends sooner when it is not used for `idleSeconds`. */
  expiresAt!: string;
  idleSeconds!: number;
  person!: AccountView;
}

export class TokenView {
  id!: string;
  name!: string;
  roles!: Role[];
  /** The person whose roles bound it. */
  ownerId!: string;
  createdAt!: string;
  expiresAt!: string;
  revokedAt!: string | null;
}

export class TokensPage {
  items!: TokenView[];
  next!: string | null;
}

export class IssuedToken extends TokenView {
  /** The token itself, shown once. */
  token!: string;
}

export class CodeView {
  id!: string;
  batchId!: string;
  /** `handset`: good once, with a key; `gateway`: a gateway token, by which any number of hawkBit clients enrol and speak. */
  kind!: 'handset' | 'gateway';
  label!: string | null;
  channel!: string;
  /** The device that the code brings back; null = it makes a new one. */
  replaces!: string | null;
  createdAt!: string;
  expiresAt!: string;
  revokedAt!: string | null;
  usedAt!: string | null;
  /** Who used it. */
  deviceId!: string | null;
}

export class CodesPage {
  items!: CodeView[];
  next!: string | null;
}

export class IssuedCode extends CodeView {
  /** The code itself, shown once. */
  code!: string;
}

export class IssuedCodes {
  items!: IssuedCode[];
}

export type DeviceKind = 'handset' | 'hawkbit';

/** A device's identity. */
export class DeviceView {
  id!: string;
  /** Dense in its tenant, from 0. */
  deviceNo!: number;
  channel!: string;
  /** Null when there is none, or when the device was forgotten. */
  label!: string | null;
  status!: 'active' | 'revoked' | 'forgotten';
  /** `hawkbit`: it speaks hawkBit's device API. */
  kind!: DeviceKind;
  /** Of its sequence of facts; grows when the device is replaced. */
  epoch!: number;
  enrolledAt!: string;
  /** When the newest certificate expires; a target token does not, and shows the year 9999. */
  expiresAt!: string;
  version!: number;
}

export class EnrolledController extends DeviceView {
  /** For `Authorization: TargetToken`, shown once. */
  targetToken!: string;
}

export class DevicesPage {
  items!: DeviceView[];
  next!: string | null;
}

/** Devices that are alike in what they can be searched by. */
export class DeviceFacet {
  channel!: string;
  status!: 'active' | 'revoked' | 'forgotten';
  kind!: DeviceKind;
  devices!: number;
}

export class DeviceFacets {
  items!: DeviceFacet[];
}

/** What a device that enrolled or renewed goes on with. */
export class EnrolledView {
  tenant!: string;
  deviceId!: string;
  deviceNo!: number;
  channel!: string;
  /** Certificate of the device alone, PEM. */
  certificate!: string;
  /** Trust anchor for the server's own certificate, PEM. */
  serverCa!: string;
  /** First number of the device's sequence (epoch, n). */
  epoch!: number;
  /** Path of the channel's TUF repository. */
  tuf!: string;
  /** The trusted root, JSON text. */
  root!: string;
  /** The first rule set, JSON text. */
  rules!: string;
  intervalSeconds!: number;
}
