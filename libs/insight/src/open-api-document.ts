import { NEVER_DRY } from '#runtime/index.js';

/** As much of an OpenAPI document as is touched here. */
export interface OpenApiDocument {
  paths: Record<string, Record<string, OpenApiOperation>>;
  components?: { schemas?: Record<string, OpenApiSchema>; securitySchemes?: object };
}
interface OpenApiOperation {
  parameters?: { in: string; name?: string; required?: boolean; schema?: OpenApiSchema }[];
  responses: Record<string, object>;
  security?: Record<string, string[]>[];
  [NEVER_DRY]?: boolean;
}
interface OpenApiSchema {
  required?: string[];
  properties?: Record<string, { default?: unknown }>;
  default?: unknown;
}

const PROBLEM = {
  type: 'object',
  description: 'A refusal, RFC 9457.',
  required: ['type', 'title', 'status', 'code', 'traceId'],
  properties: {
    type: { type: 'string', description: '`/problems/<code>`.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'Stable, for programs, e.g. `campaign.closed`.' },
    detail: { type: 'string', description: 'For people; may change.' },
    errors: {
      type: 'array',
      description: 'Which fields are at fault.',
      items: {
        type: 'object',
        required: ['pointer', 'message'],
        properties: {
          pointer: { type: 'string', description: 'JSON pointer into the input.' },
          message: { type: 'string' },
        },
      },
    },
    details: { type: 'object' },
    traceId: { type: 'string', description: 'The trace that the log lines of the request carry.' },
  },
};
const REFUSED = {
  description: 'Refused.',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

const IDEMPOTENCY = {
  in: 'header',
  name: 'Idempotency-Key',
  required: false,
  description: 'Repeating the request with the same key and body gets the first answer again, for 24 hours.',
  schema: { type: 'string', maxLength: 128 } as OpenApiSchema,
};

const DRY_RUN = {
  in: 'query',
  name: 'dry_run',
  required: false,
  description: 'Checks, decides and answers as ever, and changes nothing. The answer says so: `Muster-Dry-Run: true`.',
  schema: { type: 'boolean' } as OpenApiSchema,
};

/** How a route knows its caller, by its path; first match wins. */
const SECURITY: readonly (readonly [RegExp, Record<string, string[]>[]])[] = [
  [/^\/d\//, [{ handset: [] }]],
  [/^\/\{tenant\}\/controller\//, [{ ddi: [] }, { handset: [] }]],
  [/^\/(tuf|enrol)\//, []],
  [/^\/(livez|readyz|metrics|version)$/, []],
  [/^\/v1\/sessions$/, []],
  [/./, [{ person: [] }, { session: [] }]],
];

/** Says what no DTO says: the form of refusals, who may call, that a field with a default may be left out. In place. */
export function complete(document: OpenApiDocument): OpenApiDocument {
  const { schemas = {} } = (document.components ??= {});
  document.components.schemas = { ...schemas, Problem: PROBLEM as OpenApiSchema };
  document.components.securitySchemes = {
    person: { type: 'http', scheme: 'bearer', description: 'A session or an API token.' },
    session: {
      ...{ type: 'apiKey', in: 'cookie', name: 'muster' },
      description:
        'A session opened with `cookie`: `__Host-muster` where TLS is. Changes need the header `Muster-Csrf: 1`.',
    },
    handset: { type: 'mutualTLS', description: 'The certificate of an enrolled handset.' },
    ddi: {
      ...{ type: 'apiKey', in: 'header', name: 'Authorization' },
      description: '`TargetToken <token>` of one hawkBit client, or `GatewayToken <token>`.',
    },
  };
  for (const schema of Object.values(schemas)) leaveOutDefaults(schema);
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations)) completeOperation(operation, method, path);
  return document;
}

function completeOperation(operation: OpenApiOperation, method: string, path: string): void {
  for (const parameter of operation.parameters ?? [])
    if (parameter.schema?.default !== undefined) parameter.required = false;
  const isNeverDry = operation[NEVER_DRY] === true;
  delete operation[NEVER_DRY];
  const added = addedParameters(method, path, isNeverDry);
  if (added.length > 0) operation.parameters = [...(operation.parameters ?? []), ...added];
  operation.responses.default = REFUSED;
  operation.security = SECURITY.find(([form]) => form.test(path))?.[1] ?? [];
}

/** What every change can be asked with. */
function addedParameters(
  method: string,
  path: string,
  isNeverDry: boolean,
): NonNullable<OpenApiOperation['parameters']> {
  if (method === 'get' || method === 'head' || !path.startsWith('/v1/')) return [];
  return [...(method === 'post' ? [IDEMPOTENCY] : []), ...(isNeverDry ? [] : [DRY_RUN])];
}

function leaveOutDefaults(schema: OpenApiSchema): void {
  if (schema.required === undefined) return;
  schema.required = schema.required.filter((name) => schema.properties?.[name]?.default === undefined);
  if (schema.required.length === 0) delete schema.required;
}

/** Keys and sets in one order, so that neither the order of modules nor that of the compiler's unions shows. */
export function sorted(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => sorted(item));
    return name === 'enum' || name === 'required' ? items.sort((a, b) => (String(a) < String(b) ? -1 : 1)) : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part, key)]));
}

/** @returns the first line in which two texts differ; undefined when they are equal */
export function firstDifference(wanted: string, found: string): string | undefined {
  if (wanted === found) return undefined;
  const [ours, theirs] = [wanted.split('\n'), found.split('\n')];
  const at = ours.findIndex((line, index) => line !== theirs[index]);
  const line = at < 0 ? ours.length : at;
  return `line ${line + 1}: wanted ${ours[line] ?? 'the end'}, found ${theirs[line] ?? 'the end'}`;
}
