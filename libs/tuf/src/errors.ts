import { DomainError } from '#runtime/index.js';

/**
 * - `tuf.rollback`: an older version than the trusted one, or a role gone from the snapshot
 * - `tuf.expired`: past its `expires` at the fixed start of the update
 * - `tuf.threshold`: too few valid signatures by distinct keys
 * - `tuf.hash-mismatch`, `tuf.length-mismatch`, `tuf.version-mismatch`: not what the signed metadata announced
 * - `tuf.malformed`: not metadata of the expected type
 * - `tuf.unavailable`: the repository does not have a file that the workflow cannot do without
 * - `tuf.unknown-role`: delegated to, but not in the snapshot
 * - `tuf.unknown-target`: no trusted role lists the path
 * - `tuf.delegation-limit`: the walk would visit more roles than allowed
 * - `tuf.too-large`, `tuf.too-many-targets`, `tuf.role-name`: limits of what we publish
 * - `tuf.key-malformed`, `tuf.passphrase`: a key file that cannot be opened
 */
export type TufErrorCode =
  | 'tuf.rollback'
  | 'tuf.expired'
  | 'tuf.threshold'
  | 'tuf.hash-mismatch'
  | 'tuf.length-mismatch'
  | 'tuf.version-mismatch'
  | 'tuf.malformed'
  | 'tuf.unavailable'
  | 'tuf.unknown-role'
  | 'tuf.unknown-target'
  | 'tuf.delegation-limit'
  | 'tuf.too-large'
  | 'tuf.too-many-targets'
  | 'tuf.role-name'
  | 'tuf.key-malformed'
  | 'tuf.passphrase';

/** A refusal by the update rules. `details.role` (or `details.path`) says what was refused; never key material. */
export class TufError extends DomainError<TufErrorCode> {
  override readonly name = 'TufError';
}

/** `pointer` is the JSON pointer of the field that is wrong. */
export const malformed = (role: string, pointer: string, message: string): TufError =>
  new TufError('tuf.malformed', { role, pointer, reason: message }, `${role}${pointer}: ${message}`, [
    { pointer, message },
  ]);
