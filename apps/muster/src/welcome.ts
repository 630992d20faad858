import type { FirstLogin } from './first-start.js';

/** What the first start prints, once. */
export const welcome = ({ tenant, email, password }: FirstLogin): string => `
This is the first start. Keep what follows; it is shown once.

  administrator   ${email} of tenant ${tenant}
  password        ${password}
  log in          npm run -s muster -- login --tenant ${tenant} --email ${email}

`;
