import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';

interface AsyncApi {
  channels: Record<string, { address: string; messages: Record<string, object> }>;
  components: { messages: Record<string, object> };
}

/** A record as any client finds it in a topic. */
export interface FoundRecord {
  topic: string;
  key: string;
  headers: Readonly<Record<string, string>>;
  payload: string;
}

export const asyncApiText = (): string => readFileSync('deploy/asyncapi.json', 'utf8');

/** The two formats that schemas of ours name. */
const FORMATS = {
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};

/** Holds records against an AsyncAPI document of ours, deploy/asyncapi.json if none is given. Answers what does not fit. */
export interface AsyncApiJudge {
  /** Channel, headers, key and value. */
  record(record: FoundRecord): string[];
  /** @param id of the message, as the components have it */
  payload(id: string, payload: unknown): string[];
}

export function asyncApiJudge(text = asyncApiText()): AsyncApiJudge {
  const document = JSON.parse(text) as AsyncApi;
  const ajv = new Ajv({ strict: false, allErrors: true, formats: FORMATS });
  ajv.addSchema(document, 'asyncapi');
  const compiled = new Map<string, ValidateFunction>();
  const faults = (pointer: string, value: unknown): string[] => {
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `asyncapi#${pointer}` });
    compiled.set(pointer, validate);
    return validate(value) ? [] : (validate.errors ?? []).map((error) => `${pointer}: ${ajv.errorsText([error])}`);
  };
  const payload = (id: string, value: unknown) => faults(`/components/messages/${id}/payload`, value);
  return {
    payload,
    record: ({ topic, key, headers, payload: value }) => {
      const channel = Object.values(document.channels).find(({ address }) => address === topic);
      const id = (headers.ce_type ?? '').replace('muster.', '');
      if (channel?.messages[id] === undefined) return [`${topic} has no message ${id}`];
      const message = `/components/messages/${id}`;
      return [
        ...faults(`${message}/headers`, headers),
        ...faults(`${message}/bindings/kafka/key`, key),
        ...payload(id, JSON.parse(value)),
      ];
    },
  };
}
