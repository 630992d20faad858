/** An upload that has not become a content yet. */
export class UploadView {
  uploadId!: string;
  /** As its client calls it. */
  fileName!: string | null;
  sizeBytes!: number;
  /** Bytes that are here. */
  offsetBytes!: number;
  percent!: number;
  /** Who began it: `person:<id>` or `token:<id>`. */
  createdBy!: string;
  createdAt!: string;
  /** When bytes came last, by the clock of the machine that keeps them. */
  changedAt!: string;
}

export class UploadsPage {
  items!: UploadView[];
  /** Cursor of the next page; null on the last one. */
  next!: string | null;
}
