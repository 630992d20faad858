/** Tier 0: what every room may use. No noun of the domain. */
export { Admission, TICK_MS } from './admission.js';
export { DomainError, impossible, type FieldError } from './errors.js';
export { flush } from './flush.js';
export { instant, systemClock, type Clock } from './clock.js';
export { processClock } from './process-clock.js';
export { idFrom, isId, newId, randomToken } from './id.js';
export { processLog, silentLog, type Log, type LogFields } from './log.js';
export { pause } from './pause.js';
export { asTrial, currentTrial, inEarnest, NEVER_DRY, Trial, type TrialPart } from './trial.js';
export { Recent } from './recent.js';
export { Turns } from './turns.js';
// By its alias, not by its path: the test build puts another file in its place.
export { failpoint, guarded, type Guard } from '#runtime/fault.js';
