import { decodePosition, EventLogError, type Position } from '#event-log/index.js';

/** Reads a position from a field of the input. @throws EventLogError `position.malformed` that names the field */
export function readPosition(text: string, pointer: string): Position {
  try {
    return decodePosition(text);
  } catch (error) {
    if (!(error instanceof EventLogError)) throw error;
    const message = 'the position of an answer';
    throw new EventLogError(error.code, error.details, error.message, [{ pointer, message }]);
  }
}
