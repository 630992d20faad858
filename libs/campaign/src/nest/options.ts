/** Settings that the app gives the room. */
export interface CampaignOptions {
  /** Folder for uploads and contents, e.g. `.muster`. */
  dataDir: string;
  /** Seconds until a handset should ask again, sent as `Muster-Interval`. */
  pollIntervalSeconds?: number;
  /** Wakes and webhooks may go to private addresses and to this machine, there also by http. Not when left out. */
  privateTargets?: boolean;
  /**
   * Prints what is shown once and kept nowhere: the passphrase of the offline keys of a channel that was made without
   * a person asking for it. Standard output when left out; never the log.
   */
  showOnce?: (line: string) => void;
}

export const CAMPAIGN_OPTIONS = Symbol('campaign-options');

export const DEFAULT_INTERVAL_SECONDS = 21_600;
