import type { Api } from './api.js';
import type { Output } from './output.js';

export type OptionSpec = {
  help: string;
  /** One letter. */
  short?: string;
} & (
  | { type: 'string'; required?: boolean; default?: string; choices?: readonly string[]; placeholder?: string }
  | { type: 'number'; required?: boolean; default?: number; placeholder?: string }
  | { type: 'boolean' }
  /** May be given several times. */
  | { type: 'list'; placeholder?: string }
);

export interface ArgumentSpec {
  help: string;
  optional?: boolean;
  /** All that are left, none included; the last argument only. */
  isRest?: boolean;
}

type Value<S> = S extends { type: 'number' }
  ? number
  : S extends { type: 'boolean' }
    ? boolean
    : S extends { type: 'list' }
      ? string[]
      : string;
type Given<S> = S extends { required: true } | { default: string | number } | { type: 'boolean' | 'list' }
  ? Value<S>
  : Value<S> | undefined;
type Argument<A> = A extends { isRest: true } ? string[] : A extends { optional: true } ? string | undefined : string;

export type Input<A, O> = { [K in keyof A]: Argument<A[K]> } & { [K in keyof O]: Given<O[K]> };

/** What a command may use: the server, the screen, and a signal that Ctrl-C raises. */
export interface Context {
  api: Api;
  out: Output;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/** A command as data: parsing, help and documentation have this one source. */
export interface Command {
  /** Noun and verb, or a verb alone. */
  name: string;
  summary: string;
  args: Readonly<Record<string, ArgumentSpec>>;
  options: Readonly<Record<string, OptionSpec>>;
  /** Each a whole line that can be pasted. */
  examples: readonly string[];
  run(input: Readonly<Record<string, unknown>>, context: Context): Promise<void>;
}

/** Declares a command; the types of its input follow from its arguments and options. */
export function command<
  const A extends Record<string, ArgumentSpec>,
  const O extends Record<string, OptionSpec>,
>(spec: {
  name: string;
  summary: string;
  args?: A;
  options?: O;
  examples?: readonly string[];
  run(input: Input<A, O>, context: Context): Promise<void>;
}): Command {
  return {
    args: {},
    options: {},
    examples: [],
    ...spec,
    run: (input, context) => spec.run(input as Input<A, O>, context),
  };
}
