import { describe, expect, it } from 'vitest';
import { encodePosition } from '#event-log/index.js';
import { readPosition } from './read-position.js';

describe('a position in the input', () => {
  it('is read', () => {
    const position = { 'muster.device/3': 7 };
    expect(readPosition(encodePosition(position), '/from')).toEqual(position);
  });

  it.each(['', 'zzz', '__proto__', 'AA'])('%j is refused as position.malformed, and the field is named', (text) => {
    let refused: unknown;
    try {
      readPosition(text, '/from');
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({ code: 'position.malformed', fields: [{ pointer: '/from' }] });
  });
});
