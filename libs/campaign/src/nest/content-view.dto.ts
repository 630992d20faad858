import type { AttributeValue, ContentDescription } from '#device-protocol/index.js';
import type { ContentState } from '../content.js';

export class DescriptionView implements ContentDescription {
  name!: string;
  version!: string;
  mediaType!: string;
  sizeBytes!: number;
  attributes!: Record<string, AttributeValue>;
  /** AID (hex) of the security domain that the content is for. */
  securityDomain?: string;
  /** Applications that process the content, in order. */
  applications?: string[];
}

/** A content as routes show it. */
export class ContentView {
  contentId!: string;
  description!: DescriptionView;
  /** CEL over `device`. */
  selector!: string;
  /** Of the bytes, hex. */
  sha256!: string;
  sizeBytes!: number;
  withdrawn!: boolean;
  /** Of its stream: ETag. */
  version!: number;
}

export class ContentPage {
  items!: ContentView[];
  /** Cursor of the next page; null on the last one. */
  next!: string | null;
}

export function viewOfContent({ published, withdrawn }: ContentState, version: number): ContentView {
  return { ...published!, description: published!.description as DescriptionView, withdrawn, version };
}
