/** TUF, pure: build and sign metadata, and the client's rules and workflow without I/O. */
export { canonicalJson, type Json, type JsonObject } from './canonical-json.js';
export { TufError, type TufErrorCode } from './errors.js';
export { keyIdOf, type TufKey } from './keys.js';
export { exportSigner, generateSigner, importSigner, openSigner, sealSigner, type Signer } from './signer.js';
export {
  type Hashes,
  type MetaFile,
  metadataName,
  type TargetFile,
  targetName,
  type TopLevelRole,
} from './metadata.js';
export {
  buildRoot,
  buildSnapshot,
  buildTargets,
  buildTimestamp,
  delegateTo,
  delegateToBins,
  type DelegationsJson,
  type Lifetime,
  MAX_ROLE_BYTES,
  MAX_TARGETS,
  metaOf,
  type NewDelegation,
  type RoleHolders,
  signMetadata,
  type SignedJson,
  spreadOverBins,
  targetOf,
} from './build.js';
export { parseMetadata } from './parse.js';
export { TrustedSet, verifyFile } from './trusted-set.js';
export { checkTarget, TargetCheck } from './target-check.js';
export {
  DEFAULT_LIMITS,
  drive,
  TufClient,
  type TufClientOptions,
  type TufLimits,
  type TufPorts,
  type TufRequest,
  type TufWorkflow,
} from './workflow.js';
