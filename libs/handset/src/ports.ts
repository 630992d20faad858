import { type ContentDescription } from '#device-protocol/index.js';
import { type DeviceFactByHandset } from './events.js';

export interface HttpRequest {
  method: 'GET' | 'POST';
  /** Path at the agent's own server, or a full URL there; any other origin is refused. */
  url: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** Hard cap on the answer's body. The connection is dropped at the byte after it. */
  maxBytes: number;
  /** For the whole exchange. */
  deadlineMs?: number;
}

export interface HttpAnswer {
  status: number;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** To be read once, or to be `discard`ed. */
  body: AsyncIterable<Uint8Array>;
  discard(): void;
}

/** How the agent reaches its server. */
export interface Transport {
  /** @throws HandsetError `transport.*` */
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

/** Uniform in [0, 1): jitter and back-off. */
export type Random = () => number;

/** Sees what the agent does, as it does it (for a backup of its activity); absent in most handsets. */
export interface Recorder {
  record(fact: DeviceFactByHandset, occurredAt: string): void;
}

/** What fits this handset, as the hooks see it. */
export interface Candidate {
  contentId: string;
  campaignId: string;
  priority: number;
  description: ContentDescription;
  sizeBytes: number;
}

/** The embedder's say. Every hook may be absent; one that throws or times out counts as a refusal. */
export interface Hooks {
  /** Attributes of the device now; they are checked against the schema and never leave it. */
  collect?(): Promise<unknown>;
  /** Content ids to take, of those that fit. Absent: all. */
  choose?(candidates: readonly Candidate[]): Promise<readonly string[]>;
  /** The user's consent, asked before the first byte. */
  mayStart?(candidate: Candidate): Promise<boolean>;
  /** A check of the embedder's own, after ours of length and digest. */
  verify?(file: string, description: ContentDescription): Promise<boolean>;
  /** Absent: the file stays where it is, which is an installation. */
  install?(file: string, description: ContentDescription): Promise<void>;
  /** One application of the content processes it. */
  process?(application: string, file: string, description: ContentDescription): Promise<void>;
  onProgress?(progress: { contentId: string; receivedBytes: number; sizeBytes: number }): void;
}
