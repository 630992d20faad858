import { createHmac, timingSafeEqual } from 'node:crypto';
import { DomainError } from '../errors.js';
import type { Page, PageQuery } from './page.dto.js';

/** A cursor that was not made here, or for another list. */
export class CursorError extends DomainError<'cursor.malformed'> {}

export type CursorKey = readonly (string | number | null)[];

const MAC_BYTES = 16;

/**
 * Makes and reads cursors: the sort key of the last row, with an HMAC over it and the list it belongs to, so that a
 * caller can neither read meaning into it nor move it to another list or tenant.
 */
export class Cursors {
  constructor(private readonly key: Uint8Array) {}

  /** @param list names the list and tenant, e.g. `devices:acme` */
  encode(list: string, sortKey: CursorKey): string {
    const body = Buffer.from(JSON.stringify(sortKey));
    return Buffer.concat([this.mac(list, body), body]).toString('base64url');
  }

  /** @throws CursorError `cursor.malformed` */
  decode(list: string, cursor: string): CursorKey {
    const bytes = Buffer.from(cursor, 'base64url');
    const body = bytes.subarray(MAC_BYTES);
    if (bytes.length <= MAC_BYTES || !timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.mac(list, body)))
      throw new CursorError('cursor.malformed', {}, 'the cursor is not one of this list', [
        { pointer: '/cursor', message: 'use `next` of the page before, unchanged' },
      ]);
    return JSON.parse(body.toString('utf8')) as CursorKey;
  }

  /** The sort key to start after, or undefined for the first page. */
  after(list: string, { cursor }: PageQuery): CursorKey | undefined {
    return cursor === undefined ? undefined : this.decode(list, cursor);
  }

  /** Cuts a page from `limit + 1` rows: the extra one tells that there is more. */
  page<T>(list: string, { limit }: PageQuery, rows: readonly T[], sortKey: (row: T) => CursorKey): Page<T> {
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    const more = rows.length > limit && last !== undefined;
    return { items, next: more ? this.encode(list, sortKey(last)) : null };
  }

  private mac(list: string, body: Uint8Array): Buffer {
    return createHmac('sha256', this.key).update(`${list}\n`).update(body).digest().subarray(0, MAC_BYTES);
  }
}
