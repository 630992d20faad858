/** The virtual secure element: so far the memory that it keeps its state in. */
export { ElementError, type ElementErrorCode } from './errors.js';
export { type Area, ElementMemory, MEMORY_LIMITS, type MemoryLimits, type Storage } from './memory.js';
export type { Changes } from './memory-record.js';
