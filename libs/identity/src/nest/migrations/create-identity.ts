import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ownTenant } from '#event-log/index.js';

/** Every table of a tenant's rows; the tenant comes first in every key, so that a duplicate tells nothing of others. */
const TENANT_TABLES = [
  `create table ops.person (
    tenant text not null references ops.tenant,
    person_id uuid not null,
    email text not null,              -- lower case
    name text not null,
    password_hash text not null,      -- scrypt$N$r$p$salt$hash
    roles text[] not null,
    platform boolean not null,        -- runs the installation: may make tenants
    domain text,                      -- AID (hex) of the one security domain; null = the whole tenant
    disabled_at timestamptz,
    created_at timestamptz not null,
    version int not null,             -- ETag
    primary key (tenant, person_id),
    unique (tenant, email))`,
  `create table ops.session (
    tenant text not null,
    session_hash text not null,       -- sha-256 of the bearer token
    person_id uuid not null,
    opened_at timestamptz not null,
    seen_at timestamptz not null,
    primary key (tenant, session_hash),
    foreign key (tenant, person_id) references ops.person on delete cascade)`,
  `create index session_by_person on ops.session (tenant, person_id)`,
  `create table ops.api_token (
    tenant text not null,
    token_id uuid not null,
    token_hash text not null,
    name text not null,
    roles text[] not null,            -- what it may do, as far as its owner still may
    owner_id uuid not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    primary key (tenant, token_id),
    unique (tenant, token_hash),
    foreign key (tenant, owner_id) references ops.person)`,
  `create table ops.login_attempts (
    tenant text not null,             -- '-' for logins that name no tenant of ours
    source text not null,             -- 'account:' or 'address:' and sha-256 of it
    count int not null,
    last_at timestamptz not null,
    primary key (tenant, source))`,
  `create index login_attempts_by_age on ops.login_attempts (tenant, last_at)`,
  `create table ops.enrolment_code (
    tenant text not null references ops.tenant,
    code_id uuid not null,
    code_hash text not null,
    batch_id uuid not null,
    label text,                       -- personal: goes with the device when it is forgotten
    channel text not null,
    replaces uuid,                    -- the device that gets a new key; null = a new device
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    used_at timestamptz,
    device_id uuid,                   -- who used it, with which key: the same may ask again for a lost answer
    key_hash text,
    primary key (tenant, code_id),
    unique (tenant, code_hash))`,
  `create table ops.device_counter (
    tenant text primary key references ops.tenant,
    next_no bigint not null)          -- moved in the enrolling transaction: dense`,
  `create table ops.device (
    tenant text not null references ops.tenant,
    device_id uuid not null,
    device_no bigint not null,
    channel text not null,
    label text,                       -- personal
    status text not null,             -- active, revoked, forgotten
    epoch int not null,
    enrolled_at timestamptz not null,
    expires_at timestamptz not null,  -- of the newest certificate
    version int not null,             -- of the stream; ETag
    primary key (tenant, device_id),
    unique (tenant, device_no))`,
  `create table ops.device_key (
    tenant text not null,
    key_hash text not null,           -- sha-256 of the SubjectPublicKeyInfo
    device_id uuid not null,
    retired_at timestamptz,           -- renewed, replaced or revoked: from then on refused
    primary key (tenant, key_hash),
    foreign key (tenant, device_id) references ops.device)`,
  `create unique index one_key_at_a_time on ops.device_key (tenant, device_id) where retired_at is null`,
];

/** Tenants, people, credentials and device identities. `ops.tenant` is readable by all, the rest by its tenant only. */
export class CreateIdentity1767100000001 implements MigrationInterface {
  readonly name = 'CreateIdentity1767100000001';

  async up(db: QueryRunner): Promise<void> {
    await db.query(`create table ops.tenant (
      tenant text primary key check (tenant ~ '^[a-z][a-z0-9-]{1,30}$' and tenant <> 'platform'),
      name text not null,
      created_at timestamptz not null,
      version int not null)`);
    await db.query(`create table ops.authority (
      kind text primary key,            -- device, server; the private keys are in the keyring
      certificate text not null,
      created_at timestamptz not null)`);
    for (const statement of TENANT_TABLES) await db.query(statement);
    await db.query('grant select on ops.tenant to muster_tail, muster_projector, muster_insight');
    for (const table of [
      'tenant',
      'person',
      'session',
      'api_token',
      'login_attempts',
      'enrolment_code',
      'device_counter',
      'device',
      'device_key',
    ]) {
      for (const statement of ownTenant(`ops.${table}`)) await db.query(statement);
    }
    await db.query('create policy known_to_all on ops.tenant for select using (true)');
  }

  async down(): Promise<void> {
    throw new Error('forward only: restore a backup instead');
  }
}
