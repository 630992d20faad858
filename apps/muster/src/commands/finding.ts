import type { Context } from '../cli/command.js';

/** What `muster doctor` found of one thing. */
export interface Finding {
  check: string;
  /** `due`: good now, and someone should see to it; `unknown`: could not be looked at, which is no fault by itself. */
  state: 'ok' | 'due' | 'bad' | 'unknown';
  detail: string;
}

export type Check = (context: Context) => Finding | Finding[] | Promise<Finding[]>;

export const finding = (check: string, isGood: boolean, detail: string): Finding => ({
  check,
  state: isGood ? 'ok' : 'bad',
  detail,
});

export const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
};

/** A look that fails tells nothing about what it was to look at. */
export const orUnknown =
  (check: string, look: (context: Context) => Promise<Finding[]>): Check =>
  async (context) => {
    try {
      return await look(context);
    } catch (error) {
      return [{ check, state: 'unknown', detail: reasonOf(error) }];
    }
  };
