/** Whether somebody has signed in with this browser: the cookie itself is no script's to read, and asking without one is a 401. */
const KEPT = 'muster-signed-in';

export const hasSignedIn = (): boolean => localStorage.getItem(KEPT) !== null;
export const noteSignedIn = (): void => localStorage.setItem(KEPT, 'yes');
export const noteSignedOut = (): void => localStorage.removeItem(KEPT);
