import { oneOf } from '../shell/search.js';

export const STEPS = ['contents', 'audience', 'pace', 'safety', 'check', 'review'] as const;
export type Step = (typeof STEPS)[number];

/** Where in the wizard one is, and days of polls that the dry run looks at. */
export interface WizardSearch {
  step?: Step;
  days?: number;
}

export function wizardSearch(search: Record<string, unknown>): WizardSearch {
  const step = oneOf(STEPS, search.step);
  const days = Number(search.days);
  return {
    ...(step === undefined ? {} : { step }),
    ...(Number.isInteger(days) && days >= 1 && days <= 31 ? { days } : {}),
  };
}

/** The step after, or before. */
export const stepBy = (step: Step, by: 1 | -1): Step | undefined => STEPS[STEPS.indexOf(step) + by];
