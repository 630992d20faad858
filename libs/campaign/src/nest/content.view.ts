import type { ContentDescription } from '#device-protocol/index.js';
import type { ContentState } from '../content.js';

/** A content as routes show it. */
export interface ContentView {
  contentId: string;
  description: ContentDescription;
  /** CEL over `device`. */
  selector: string;
  sha256: string;
  sizeBytes: number;
  withdrawn: boolean;
  /** Of its stream: ETag. */
  version: number;
}

export function viewOfContent({ published, withdrawn }: ContentState, version: number): ContentView {
  return { ...published!, withdrawn, version };
}
