import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Command, command } from '../cli/command.js';
import { usage } from '../cli/exit-codes.js';
import { formatBytes } from '../cli/output.js';
import { attributeValues } from '../cli/parse.js';
import { upload } from '../cli/upload.js';

interface Content {
  contentId: string;
  description: { name: string; version: string; mediaType: string; sizeBytes: number };
  selector: string;
  sha256: string;
  withdrawn: boolean;
}

const publish = command({
  name: 'content publish',
  summary: 'Upload a file and publish it with its description and selector',
  args: { file: { help: 'the bytes that handsets will get' } },
  options: {
    name: { type: 'string', help: 'what people call it; the file name when left out' },
    version: { type: 'string', help: 'its version', default: '1.0.0' },
    mediaType: { type: 'string', help: 'media type', default: 'application/octet-stream' },
    selector: {
      type: 'string',
      help: 'which handsets it fits, in CEL over `device`',
      default: 'true',
      placeholder: 'rule',
    },
    selectorFile: { type: 'string', help: 'file with the selector', placeholder: 'file' },
    attribute: { type: 'list', help: 'attribute of the content; repeat for more', placeholder: 'name=value' },
    application: { type: 'list', help: 'application that processes it; repeat, in order', placeholder: 'id' },
    domain: { type: 'string', help: 'AID of the security domain that it is for', placeholder: 'hex' },
  },
  examples: [
    'muster content publish wallet-2.4.bin --version 2.4.0',
    `muster content publish map.zip --selector 'device.os.startsWith("harmony") && device.memoryFree > 200000000'`,
  ],
  run: async (input, context) => {
    const { api, out } = context;
    const selector = input.selectorFile === undefined ? input.selector : text(input.selectorFile);
    const uploaded = await upload(input.file, context);
    const { uploadId, sizeBytes, sha256 } = uploaded;
    const description = {
      name: input.name ?? path.basename(input.file),
      version: input.version,
      mediaType: input.mediaType,
      attributes: attributeValues(input.attribute),
      ...(input.domain === undefined ? {} : { securityDomain: input.domain }),
      ...(input.application.length === 0 ? {} : { applications: input.application }),
    };
    const content = await api.post<Content>('/v1/contents', { uploadId, sha256, description, selector });
    out.record(content, { id: content.contentId, name: description.name, size: formatBytes(sizeBytes), sha256 });
    out.next(`muster campaign draft --name <name> --content ${content.contentId}`);
  },
});

const list = command({
  name: 'content list',
  summary: 'List the contents',
  options: { limit: { type: 'number', help: 'how many at most', default: 50 } },
  examples: ['muster content list'],
  run: async ({ limit }, { api, out }) => {
    out.table(await api.list<Content>('/v1/contents', limit), {
      id: ({ contentId }) => contentId,
      name: ({ description }) => description.name,
      version: ({ description }) => description.version,
      size: ({ description }) => formatBytes(description.sizeBytes),
      withdrawn: ({ withdrawn }) => (withdrawn ? 'yes' : ''),
    });
  },
});

const show = command({
  name: 'content show',
  summary: 'Show one content',
  args: { content: { help: 'content id' } },
  examples: ['muster content show 0198c6f2-…'],
  run: async ({ content }, { api, out }) => {
    const found = await api.get<Content>(`/v1/contents/${encodeURIComponent(content)}`);
    const { description, selector, sha256, withdrawn } = found;
    const { name, version, mediaType, sizeBytes } = description;
    out.record(found, {
      id: found.contentId,
      name,
      version,
      mediaType,
      size: formatBytes(sizeBytes),
      sha256,
      selector,
      withdrawn,
    });
  },
});

const withdraw = command({
  name: 'content withdraw',
  summary: 'Take a content back: no handset gets it from now on',
  args: { content: { help: 'content id' } },
  options: { reason: { type: 'string', help: 'why, for the record', required: true } },
  examples: ['muster content withdraw 0198c6f2-… --reason "wrong build"'],
  run: async ({ content, reason }, { api, out }) => {
    const found = await api.post<object>(`/v1/contents/${encodeURIComponent(content)}/withdraw`, { reason });
    out.result(found, () => `${content} was withdrawn.`);
  },
});

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw usage(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export const contentCommands: readonly Command[] = [publish, list, show, withdraw];
