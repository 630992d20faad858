import { readFileSync } from 'node:fs';

/** One operation of deploy/openapi.json. */
export interface Route {
  method: string;
  /** As the document writes it: `/v1/campaigns/{campaignId}`. */
  path: string;
  /** `GET /v1/campaigns/{campaignId}`. */
  name: string;
  parameters: string[];
  takesJson: boolean;
  needsPerson: boolean;
  isHandset: boolean;
}

interface Operation {
  parameters?: { in: string; name: string }[];
  requestBody?: { content: Record<string, unknown> };
  security?: Record<string, unknown>[];
}

/** Every route that the document names: tests over all of them cannot forget a new one. */
export function describedRoutes(): Route[] {
  const { paths } = JSON.parse(readFileSync('deploy/openapi.json', 'utf8')) as {
    paths: Record<string, Record<string, Operation>>;
  };
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([verb, operation]) => {
      const method = verb.toUpperCase();
      return {
        method,
        path,
        name: `${method} ${path}`,
        parameters: (operation.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name),
        takesJson: operation.requestBody?.content['application/json'] !== undefined,
        needsPerson: operation.security?.some((scheme) => 'person' in scheme) === true,
        isHandset: /^\/(tuf|d|enrol|\{tenant\}\/controller)\//.test(path),
      };
    }),
  );
}

/** The address with its parameters filled in, percent-encoded unless told that they are already. */
export const addressOf = (
  { path }: Route,
  value: (parameter: string) => string,
  encode: (text: string) => string = encodeURIComponent,
): string => path.replace(/\{(\w+)\}/g, (_, parameter: string) => encode(value(parameter)));
