import { Inject, Injectable } from '@nestjs/common';
import { Tenants } from '#identity/nest/identity.module.js';
import { type Log, pause } from '#runtime/index.js';
import { LOG } from '#runtime/nest/runtime.module.js';
import { BackgroundLoop } from '../background-loop.js';
import { DdiRecord } from './ddi-record.js';
import { DdiRows } from './ddi-rows.js';

const EVERY_MS = 30_000;

/** Puts on the record what a process that died has left: the device it is of may not come again. */
@Injectable()
export class DdiDebts extends BackgroundLoop {
  constructor(
    @Inject(Tenants) private readonly tenants: Tenants,
    @Inject(DdiRows) private readonly rows: DdiRows,
    @Inject(DdiRecord) private readonly record: DdiRecord,
    @Inject(LOG) private readonly lines: Log,
  ) {
    super();
  }

  protected async run(signal: AbortSignal): Promise<void> {
    for (await pause(EVERY_MS, signal); !signal.aborted; await pause(EVERY_MS, signal))
      try {
        for (const { id: tenant } of await this.tenants.list())
          for (const { deviceId, actionId } of await this.rows.owing(tenant))
            await this.record.payOld({ tenant, deviceId }, { actionId }, { isWaiting: false });
      } catch (err) {
        this.lines.warn('ddi.debts-retry', { retryInMs: EVERY_MS, err });
      }
  }
}
