import { expect, it } from 'vitest';
import { statusOf } from '#runtime/nest/runtime.module.js';
import './event-log.module.js';

it.each([
  'log.gap',
  'log.unreadable',
  'log.unknown-version',
  'log.unknown-type',
  'archive.missing',
  'archive.damaged',
  'keyring.kek-wrong',
  'keyring.kek-malformed',
  'keyring.kek-readable-by-others',
])('answers %s, which no caller can mend, with 500', (code) => expect(statusOf(code)).toBe(500));
