import { expect, it } from 'vitest';
import { DECLINING, FITTING } from '../demo/fleet.js';
import { isDone } from './demo.js';

it('ends the demo when the last poll is on the record, too', () => {
  const polled = FITTING + DECLINING;
  const rest = { matched: FITTING, requested: FITTING, transferred: FITTING, installed: FITTING, confirmed: FITTING };
  const dropped = [{ kind: 'declined', reason: 'no-fit', devices: DECLINING }];
  expect(isDone({ funnel: { ...rest, polled: polled - 1 }, dropped })).toBe(false);
  expect(isDone({ funnel: { ...rest, polled }, dropped })).toBe(true);
});
