/** Statements for a table with a column `tenant`: whoever works in a tenant sees and changes its rows alone, the owner of the table too. */
export const ownTenant = (table: string): string[] => [
  `alter table ${table} enable row level security, force row level security`,
  `create policy own_tenant on ${table}
    using (tenant = current_setting('muster.tenant', true))
    with check (tenant = current_setting('muster.tenant', true))`,
];
