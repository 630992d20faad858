import { Inject, Injectable } from '@nestjs/common';
import { DEFAULT_CHANNEL } from '#identity/index.js';
import { inEarnest, newId } from '#runtime/index.js';
import { Channels } from './channels.js';
import { CAMPAIGN_OPTIONS, type CampaignOptions } from './options.js';
import { RepositoryKeeper } from './repository-keeper.js';

/** Every tenant has the channel `main`, made when it is first looked for. */
@Injectable()
export class FirstChannel {
  private readonly there = new Set<string>();
  private readonly making = new Map<string, Promise<void>>();

  constructor(
    @Inject(Channels) private readonly channels: Channels,
    @Inject(RepositoryKeeper) private readonly keeper: RepositoryKeeper,
    @Inject(CAMPAIGN_OPTIONS) private readonly options: CampaignOptions,
  ) {}

  async ensure(tenant: string): Promise<void> {
    if (this.there.has(tenant)) return;
    const making =
      this.making.get(tenant) ?? inEarnest(() => this.make(tenant)).finally(() => this.making.delete(tenant));
    this.making.set(tenant, making);
    await making;
    this.there.add(tenant);
  }

  /** The tenant's channels, of which `main` is always one. */
  async names(tenant: string): Promise<ReadonlySet<string>> {
    await this.ensure(tenant);
    return this.channels.names(tenant);
  }

  private async make(tenant: string): Promise<void> {
    if ((await this.channels.names(tenant)).has(DEFAULT_CHANNEL)) return;
    const context = { tenant, actor: 'system:first-channel', commandId: newId() };
    const show = this.options.showOnce ?? ((line: string) => void process.stdout.write(`${line}\n`));
    // Of several processes the first makes it, and it alone shows a passphrase.
    await this.keeper.make(context, DEFAULT_CHANNEL, (passphrase) =>
      show(`offline keys of ${tenant}/${DEFAULT_CHANNEL}, passphrase shown this once: ${passphrase}`),
    );
  }
}
