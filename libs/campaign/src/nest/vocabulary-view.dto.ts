import type { KeyRole } from './channel-keys.js';

/** The attribute schema in force. */
export class SchemaView {
  /** 0 before the first. */
  version!: number;
  /** By name: `{type, description?, personal?}`. */
  attributes!: object;
}

/** The rules in force on a channel. */
export class RuleSetView {
  version!: number;
  /** `{id, on, when?, minInterval?, jitter?, after?}` */
  rules!: object[];
}

export class ChannelView {
  channel!: string;
  createdAt!: string;
}

export class ChannelPage {
  items!: ChannelView[];
  next!: string | null;
}

export class ChannelMade {
  channel!: string;
  /** Opens the offline keys (root, targets); shown this once and kept nowhere. */
  passphrase!: string;
}

export class KeyStatus {
  role!: KeyRole;
  keyIds!: string[];
  threshold!: number;
  /** Whether the private keys can be used without a passphrase. */
  online!: boolean;
  /** Of the role's file; null for grant keys, which have none. */
  version!: number | null;
  expiresAt!: string | null;
  /** Past half of its life: online roles renew themselves, offline ones need the passphrase. */
  due!: boolean;
}

export class KeyPage {
  items!: KeyStatus[];
  next!: string | null;
}
