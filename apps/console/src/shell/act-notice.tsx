import { notifications } from '@mantine/notifications';
import { ApiProblem } from '../api/problem.js';
import i18next from 'i18next';

/** Says shortly that something was done, or why not. */
export const tell = (message: string): string => notifications.show({ message, color: 'green', autoClose: 6_000 });

export function tellTrouble(error: unknown): void {
  const message = error instanceof ApiProblem ? `${error.message} (${error.code})` : String(error);
  notifications.show({ title: i18next.t('panel.failed'), message, color: 'red', autoClose: 12_000 });
}
