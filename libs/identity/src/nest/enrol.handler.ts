import { Inject } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EnrolAnswer, EnrolRequest, RenewRequest } from '#device-protocol/index.js';
import type { EventContext, Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';
import { type Clock, instant, newId } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import { checkCsr, type CheckedCsr, DEVICE_CERTIFICATE_MS, readDeviceCertificate } from '../certificates.js';
import { parseCredential } from '../credentials.js';
import { type IdentityErrorCode, refusedField } from '../errors.js';
import type { HandsetState } from '../handset.js';
import { checkRenewal } from '../renewal.js';
import { CertificateAuthority } from './authority.js';
import { CODE_COLUMNS, type CodeRow } from './code.rows.js';
import { ENROL_CATALOGUE, type EnrolCatalogue } from './enrol-catalogue.js';
import { deliverRules } from './deliver-rules.handler.js';
import { Handsets } from './handsets.js';

export type EnrolCommand = { type: 'Enrol'; data: EnrolRequest } | { type: 'Renew'; data: RenewRequest };

export class Enrol extends Command<EnrolAnswer> {
  constructor(
    readonly command: EnrolCommand,
    readonly trace: Omit<EventContext, 'tenant' | 'actor'>,
  ) {
    super();
  }
}

/**
 * Gives devices their identity. An answer can be lost on its way: the same code with the same key, and the same renewal
 * by the key that it retired, are answered again, with another certificate of the same expiry.
 */
@CommandHandler(Enrol)
export class EnrolHandler implements ICommandHandler<Enrol> {
  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(CertificateAuthority) private readonly authority: CertificateAuthority,
    @Inject(Handsets) private readonly handsets: Handsets,
    @Inject(ModuleRef) private readonly modules: ModuleRef,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  execute({ command, trace }: Enrol): Promise<EnrolAnswer> {
    return command.type === 'Enrol' ? this.enrol(command.data, trace) : this.renew(command.data, trace);
  }

  /** @throws IdentityError `enrolment.code-unknown`, `-used`, `-expired`, `csr.*`, `device.key-taken` */
  private async enrol({ code, csr }: EnrolRequest, trace: Enrol['trace']): Promise<EnrolAnswer> {
    const credential = parseCredential(code);
    if (credential?.kind !== 'code') throw refusedCode('enrolment.code-unknown', 'there is no such code');
    const { tenant, hash } = credential;
    const checked = await checkCsr(csr);
    const found = await this.databases.actor.inTenant(tenant, (tx) => this.findCode(tx, tenant, hash, checked));
    const deviceId = found.device_id ?? found.replaces ?? newId();
    const context: EventContext = { tenant, actor: `device:${deviceId}`, ...trace };
    const { state } = await this.handsets.run(context, deviceId, async (tx) => {
      const row = await this.findCode(tx, tenant, hash, checked);
      // Someone took the code between the two looks: theirs is the device, and the key is not ours.
      if (row.device_id !== null && row.device_id !== deviceId)
        throw refusedCode('enrolment.code-used', 'the code is being used by another request: ask again');
      if (row.used_at === null) await this.useCode(tx, tenant, row, { deviceId, keyHash: checked.keyHash });
      return this.commandFor(tx, tenant, row, { deviceId, keyHash: checked.keyHash });
    });
    return this.answer(context, deviceId, state, checked);
  }

  private async commandFor(tx: Tx, tenant: string, row: CodeRow, device: { deviceId: string; keyHash: string }) {
    const expiresAt = instant(this.clock.now() + DEVICE_CERTIFICATE_MS);
    if (row.replaces !== null) return { type: 'ReplaceHandset' as const, data: { ...device, expiresAt } };
    const { channel, label } = row;
    const deviceNo = row.used_at === null ? await nextDeviceNo(tx, tenant) : 0; // a repetition decides nothing
    return { type: 'EnrolHandset' as const, data: { ...device, deviceNo, channel, label, expiresAt } };
  }

  /** The code's row, locked, if this key may use it. */
  private async findCode(tx: Tx, tenant: string, hash: string, { keyHash }: CheckedCsr): Promise<CodeRow> {
    const [row] = await tx.query<CodeRow>(
      `select ${CODE_COLUMNS} from ops.enrolment_code
       where tenant = $1 and code_hash = $2 and kind = 'handset' for update`,
      [tenant, hash],
    );
    if (row === undefined || row.revoked_at !== null)
      throw refusedCode('enrolment.code-unknown', 'there is no such code');
    if (row.used_at !== null && row.key_hash !== keyHash)
      throw refusedCode('enrolment.code-used', 'the code was used, with another key');
    if (row.expires_at.getTime() <= this.clock.now())
      throw refusedCode('enrolment.code-expired', `the code was good until ${row.expires_at.toISOString()}`);
    return row;
  }

  private async useCode(
    tx: Tx,
    tenant: string,
    row: CodeRow,
    by: { deviceId: string; keyHash: string },
  ): Promise<void> {
    await tx.query(
      `update ops.enrolment_code set used_at = $3, device_id = $4, key_hash = $5 where tenant = $1 and code_id = $2`,
      [tenant, row.code_id, new Date(this.clock.now()), by.deviceId, by.keyHash],
    );
  }

  /** @throws IdentityError `renewal.*`, `csr.*`, `device.unknown`, `device.revoked`, `device.key-taken` */
  private async renew({ certificate, csr, proof }: RenewRequest, trace: Enrol['trace']): Promise<EnrolAnswer> {
    const old = readDeviceCertificate(certificate, await this.authority.deviceCa());
    if (old === undefined)
      throw refusedField('renewal.certificate', '/certificate', 'not a device certificate of ours');
    const checked = await checkCsr(csr);
    await checkRenewal(proof, old, checked, this.clock.now());
    const { tenant, deviceId } = old;
    const expiresAt = instant(this.clock.now() + DEVICE_CERTIFICATE_MS);
    const data = { deviceId, presentedKeyHash: old.keyHash, keyHash: checked.keyHash, expiresAt };
    const context: EventContext = { tenant, actor: `device:${deviceId}`, ...trace };
    const { state } = await this.handsets.run(context, deviceId, async () => ({ type: 'RenewHandset', data }));
    return this.answer(context, deviceId, state, checked);
  }

  private async answer(
    context: EventContext,
    deviceId: string,
    state: HandsetState,
    { publicKey }: CheckedCsr,
  ): Promise<EnrolAnswer> {
    if (state.status !== 'active') throw refusedCode('device.revoked', 'the device was revoked');
    const { tenant } = context;
    const { deviceNo, channel, epoch, expiresAt } = state;
    const [certificate, serverCa, material] = await Promise.all([
      this.authority.certify({ tenant, deviceId, publicKey }, Date.parse(expiresAt)),
      this.authority.serverCa(),
      this.modules.get<EnrolCatalogue>(ENROL_CATALOGUE, { strict: false }).material(tenant, channel),
    ]);
    await deliverRules(this.handsets, { tenant, deviceId, channel }, versionOf(material.rules));
    return { tenant, deviceId, deviceNo, channel, certificate, serverCa, epoch, ...material };
  }
}

const versionOf = (rules: string): number => (JSON.parse(rules) as { version: number }).version;

/** Dense: a transaction that fails gives its number back. */
export async function nextDeviceNo(tx: Tx, tenant: string): Promise<number> {
  const [row] = await tx.query<{ taken: number }>(
    'update ops.device_counter set next_no = next_no + 1 where tenant = $1 returning next_no - 1 as taken',
    [tenant],
  );
  return row!.taken;
}

const refusedCode = (code: IdentityErrorCode, message: string) => refusedField(code, '/code', message);
