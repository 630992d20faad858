import type { AttributeValue, ContentDescription } from './catalogue.js';
import type { OfferRef } from './requests.js';

/** `POST /d/v1/availability`, with `Muster-Trigger`: server-side matching. The one request that carries attributes of the device. */
export interface AvailabilityRequest {
  /** What the device is, against the tenant's schema. */
  attributes: Readonly<Record<string, AttributeValue>>;
  /** IANA zone of the device, for windows in its own time. */
  zone: string;
  /** Contents that it holds or has declined: they are named in the answer, and not transmitted. */
  except: readonly string[];
}

/** A content that fits. Small ones ride along, larger ones wait at `url`; the selector stays at the server. */
export type AvailableContent = OfferRef & {
  priority: number;
  description: ContentDescription;
  sizeBytes: number;
  sha256: string;
  /** Absent when the request excepts the content. */
  transmitted?: {
    grant: string;
    url: string;
    /** The whole content, base64; absent above `AVAILABILITY_LIMITS.inlineContent`, or when the answer is full. */
    bytes?: string;
  };
};

export interface AvailabilityAnswer {
  contents: readonly AvailableContent[];
  /** ETag of the channel's timestamp: another than the last means new rules, schemas or keys in the catalogue. */
  catalogue: string;
}

/** Of `POST /d/v1/availability`, which not every agent speaks. Bytes unless named otherwise. */
export const AVAILABILITY_LIMITS = {
  body: 131_072,
  /** Ids. */
  except: 1_000,
  /** A content up to this size rides in the answer, as long as all that do come to no more than `inlineTotal`. */
  inlineContent: 65_536,
  inlineTotal: 524_288,
  /** Contents. */
  perAnswer: 100,
} as const;
