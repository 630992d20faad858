/** Injection tokens of tier 0. */
export const CLOCK = Symbol('clock');
export const LOG = Symbol('log');
/** A `ReadinessCheck[]` that the app gives. */
export const READINESS_CHECKS = Symbol('readiness-checks');
/** An `IdempotencyStore` that the app gives; without one, Idempotency-Key is checked for its form only. */
export const IDEMPOTENCY_STORE = Symbol('idempotency-store');
/** `{ name, version }` of the process, for `/version`. */
export const ABOUT = Symbol('about');
