import 'reflect-metadata';
import { validateSync } from 'class-validator';
import { DomainError, type FieldError } from './errors.js';

/** A setting that is missing or wrong; every field names its variable. The process does not start. */
export class ConfigError extends DomainError<'config.invalid'> {}

const variables = new WeakMap<object, Map<string, string>>();

/** Names the environment variable of a property. The property's initialiser is the default; its docstring is the manual. */
export const Env =
  (variable: string): PropertyDecorator =>
  (prototype, property) => {
    const known = variables.get(prototype) ?? new Map<string, string>();
    variables.set(prototype, known.set(String(property), variable));
  };

/**
 * Reads a config class from the environment. An empty variable counts as absent.
 * @throws ConfigError `config.invalid`, all faults at once
 */
export function loadConfig<T extends object>(Class: new () => T, env: NodeJS.ProcessEnv = process.env): T {
  const config = new Class();
  const prototype = Class.prototype as object;
  const names = variablesOf(prototype);
  for (const [property, variable] of names) {
    const text = env[variable];
    if (text !== undefined && text !== '') Reflect.set(config, property, parse(prototype, property, text));
  }
  const faults: FieldError[] = validateSync(config).map(({ property, constraints }) => ({
    pointer: `/${names.get(property) ?? property}`,
    message: Object.values(constraints ?? {})
      .join(', ')
      .replaceAll(property, names.get(property) ?? property),
  }));
  if (faults.length > 0)
    throw new ConfigError('config.invalid', {}, faults.map(({ message }) => message).join('; '), faults);
  return config;
}

/** Those of the class and of the classes that it extends. */
function variablesOf(prototype: object | null): Map<string, string> {
  if (prototype === null) return new Map();
  const inherited = variablesOf(Object.getPrototypeOf(prototype) as object | null);
  return new Map([...inherited, ...(variables.get(prototype) ?? [])]);
}

/** By the property's declared type: number, boolean (`true`, `false`), comma-separated list, text. */
function parse(prototype: object, property: string, text: string): unknown {
  switch (Reflect.getMetadata('design:type', prototype, property)) {
    case Number:
      return Number(text);
    case Boolean:
      return text === 'true' ? true : text === 'false' ? false : text;
    case Array:
      return text
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean);
    default:
      return text;
  }
}
