import type { ProjectionView } from '#event-log/index.js';

/**
 * Lets the analysts' views read one tenant's rows of a read-model table: the tenant of the login role, by
 * `session_user`, which no statement of a client changes (SET ROLE and set_config leave it alone). The views' owner
 * reads the table, so the analysts themselves need no grant on it.
 */
export const analystPolicy = (table: string): string[] => [
  `grant select on ${table} to muster_analytics`,
  `create policy analyst on ${table} for select to muster_analytics
     using (tenant = (select a.tenant from ops.analyst a where a.login = session_user))`,
];

/** A view in `analytics`; what it means is said in ../analytics.ts. */
export const analystView = (name: string, sql: (schema: string) => string): ProjectionView => ({
  name: `analytics.${name}`,
  owner: 'muster_analytics',
  sql,
});
