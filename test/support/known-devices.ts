import type pg from 'pg';

/** So many devices as their enrolment leaves them, in the rows of identity and in the read models: they stand in no log. */
export async function knowDevices(sql: pg.Client, tenant: string, count: number): Promise<void> {
  const ids = `from generate_series(0, ${count - 1}) n`;
  const id = `('01890a5d-ac96-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
  await sql.query(
    `insert into ops.device (tenant, device_id, device_no, channel, label, status, epoch, enrolled_at, expires_at, version)
     select $1, ${id}, n, 'main', 'Handset ' || n, case n % 1000 when 7 then 'revoked' else 'active' end, 1,
       now(), now() + interval '90 days', 1 ${ids}`,
    [tenant],
  );
  await sql.query('update ops.device_counter set next_no = $2 where tenant = $1', [tenant, count]);
  await sql.query(`insert into ops.device_key select $1, lpad(to_hex(n), 64, '0'), ${id}, null ${ids}`, [tenant]);
  await sql.query(`insert into proj.p_campaign_progress_handset_v1 select $1, n, ${id}::text, 'main' ${ids}`, [tenant]);
  await sql.query(`insert into proj.p_device_timeline_number_v1 select $1, n, ${id}::text ${ids}`, [tenant]);
  await sql.query('analyze');
}
