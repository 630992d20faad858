import { describe, expect, it } from 'vitest';
import { asTrial, currentTrial } from '#runtime/index.js';
import { RunContent, RunContentHandler } from './run-content.handler.js';

describe('publishing an upload that is only tried', () => {
  it('has no connection of the trial while the bytes are hashed', async () => {
    const trials: unknown[] = [];
    const uploads = {
      async find() {
        trials.push(currentTrial());
        return { file: import.meta.filename, size_bytes: -1, sha256: null };
      },
    };
    const board = { tenant: async () => ({ schema: {}, contents: new Map() }) };
    const handler = new RunContentHandler({} as never, board as never, uploads as never, {} as never, {} as never);
    const description = { name: 'a', version: '1', mediaType: 'text/plain', attributes: {} };
    const order = { type: 'PublishUpload' as const, data: { uploadId: 'u', description, selector: 'true' } as never };
    const tried = asTrial(() => handler.execute(new RunContent(order, { tenant: 'a' } as never)));
    await expect(tried).rejects.toMatchObject({ code: 'upload.incomplete' });
    expect(trials).toEqual([undefined]);
  });
});
