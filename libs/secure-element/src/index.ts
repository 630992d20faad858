/** The virtual secure element: speaks APDUs, and remembers what it has answered. */
export { ElementError, type ElementErrorCode } from './errors.js';
export { type FirstKeyset, VirtualElement } from './element.js';
export { type Area, ElementMemory, MEMORY_LIMITS, type MemoryLimits, type Storage } from './memory.js';
export type { Changes } from './memory-record.js';
export { type CapabilityProfile, PROFILES } from './profile.js';
