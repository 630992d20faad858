/** An attribute's value on the wire. Integers are 64-bit: beyond 2^53 they travel as decimal strings, the schema says which they are. */
export type AttributeValue = string | number | boolean | readonly (string | number | boolean)[];

/** What a content is, for people and for matching; public to every handset of the channel. */
export interface ContentDescription {
  name: string;
  version: string;
  mediaType: string;
  sizeBytes: number;
  attributes: Readonly<Record<string, AttributeValue>>;
  /** AID (hex, upper case) of the security domain that the content is for. */
  securityDomain?: string;
  /** Applications that process the content, in order: the next is told when the one before has acknowledged. */
  applications?: readonly string[];
}

/** A weekly window. `days` 1 = Monday … 7; `from` and `to` are local `HH:MM`, `to` ≤ `from` runs past midnight; zone IANA, or the device's own. */
export interface WeeklyWindow {
  days: readonly number[];
  from: string;
  to: string;
  zone: string;
}

/** What one campaign says of one content. Design §4; bucket = murmur3_x86_32(salt ':' deviceId) % 10 000. */
export interface Offer {
  campaign: string;
  /** CEL: the content's selector and the campaign's own, in conjunction. */
  selector: string;
  salt: string;
  /** In the wave if bucket < waveUpTo (0..10 000). */
  waveUpTo: number;
  /** Held out if bucket ≥ 10 000 − holdOut. */
  holdOut: number;
  start: string;
  end: string | null;
  windows: readonly WeeklyWindow[];
  priority: number;
}

/** The `custom` of the TUF target `content/<contentId>`. */
export interface ContentTarget {
  description: ContentDescription;
  offers: readonly Offer[];
}

export const contentTargetPath = (contentId: string): string => `content/${contentId}`;
