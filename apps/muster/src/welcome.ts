import type { FirstLogin } from './first-start.js';

/** What the first start prints, once. */
export const welcome = ({ login, analystUrl }: { login: FirstLogin; analystUrl: string }): string => `
This is the first start. Keep what follows; it is shown once.

  administrator   ${login.email} of tenant ${login.tenant}
  password        ${login.password}
  log in          npm run -s muster -- login --tenant ${login.tenant} --email ${login.email}

  analyst         ${analystUrl}
  read by SQL     psql '${analystUrl}' -c 'select * from v1_campaign_progress'

`;
