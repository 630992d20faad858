import { useWords } from './words.js';

/** A moment in the reader's zone; UTC, and the zone that it was meant in where there is one, when pointed at. */
export function When({ at, zone }: { at: string; zone?: string }) {
  const { moment } = useWords();
  const inZone = zone === undefined ? '' : `${moment(at, zone)} ${zone}\n`;
  return (
    <time dateTime={at} title={`${inZone}${moment(at, 'UTC')} UTC`} translate="no">
      {moment(at)}
    </time>
  );
}
