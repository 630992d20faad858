/** What the shell gets. Scripts rely on these: they never change meaning. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  auth: 4,
  conflict: 5,
  notMet: 6,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_CODES_HELP = `Exit codes
    0  done
    1  failed
    2  wrong use of the command line
    3  not found
    4  not logged in, or not allowed
    5  conflict, or a precondition that does not hold (it has changed since it was read)
    6  waited for something that did not come about (--wait, --exit-status)
  130  interrupted
`;

/** A failure with a code for the shell; the message is for people. */
export class CliError extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    /** What to do about it: a command, or a sentence. */
    readonly hint?: string,
    /** For `--json`. */
    readonly problem?: object,
  ) {
    super(message);
  }
}

export const usage = (message: string, hint?: string): CliError => new CliError(EXIT.usage, message, hint);

export function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.auth;
  if (status === 404) return EXIT.notFound;
  return [409, 412, 428].includes(status) ? EXIT.conflict : EXIT.failed;
}
