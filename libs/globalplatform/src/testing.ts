import { GlobalPlatformError, type GlobalPlatformErrorCode } from './errors.js';

/** What a call was refused with. @throws Error if it was not, or with anything but the room's own error */
export function refusalOf(call: () => unknown): GlobalPlatformError {
  try {
    call();
  } catch (error) {
    if (error instanceof GlobalPlatformError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

export const codeOf = (call: () => unknown): GlobalPlatformErrorCode => refusalOf(call).code;
