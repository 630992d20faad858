import { pino } from 'pino';
import { DomainError } from './errors.js';

/** Fields of a log line: numbers carry their unit in the name. Never a key, PIN, token, MAC or attribute value. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Stable event name first, fields second: `log.info('content.delivered', { contentId, bytes, durationMs })`. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  /** Heals by itself. */
  warn(event: string, fields?: LogFields): void;
  /** Someone must act now. */
  error(event: string, fields?: LogFields): void;
}

/** JSON lines on standard error, so that standard output stays for answers. One line an event; control characters are escaped by JSON. */
export function processLog(service: string, env: NodeJS.ProcessEnv = process.env, fd = 2): Log {
  const logger = pino(
    {
      level: env.MUSTER_LOG_LEVEL ?? 'info',
      base: { service },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
      redact: {
        paths: ['*.password', '*.token', '*.code', '*.passphrase', 'password', 'token', 'passphrase'],
        censor: '[redacted]',
      },
    },
    pino.destination({ dest: fd, sync: true }),
  );
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (event: string, fields?: LogFields) => {
    logger[level](fields ?? {}, event);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/**
 * `errorCode`, since any `code` is hidden: it may be an enrolment code. Of other fields only the details of our own
 * errors: a database error's `detail` holds values of rows, a socket error the whole connection.
 */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack } = error;
  const own = error instanceof DomainError ? { details: error.details as object } : {};
  return { name, message, stack, ...('code' in error ? { errorCode: error.code } : {}), ...own };
}

const nothing = (): void => undefined;
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
