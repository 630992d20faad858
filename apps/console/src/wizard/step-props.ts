import type { DraftForm } from './draft-form.js';

/** What each step of the form gets. */
export interface StepProps {
  form: DraftForm;
  change: (change: Partial<DraftForm>) => void;
  /** What the server says of a field. */
  at: (pointer: string) => string | undefined;
}
