import type { LoggerService } from '@nestjs/common';
import type { Log } from '../log.js';

/** Nest's own lines as ours. What it says at the start (routes, modules) is for debugging only. */
export function nestLogger(log: Log): LoggerService {
  const fields = (message: unknown, more: unknown[]) => ({
    message: message instanceof Error ? message.message : String(message),
    ...(message instanceof Error ? { stack: message.stack } : {}),
    context: more.at(-1),
  });
  return {
    log: (message: unknown, ...more: unknown[]) => log.debug('nest.said', fields(message, more)),
    debug: (message: unknown, ...more: unknown[]) => log.debug('nest.said', fields(message, more)),
    verbose: (message: unknown, ...more: unknown[]) => log.debug('nest.said', fields(message, more)),
    warn: (message: unknown, ...more: unknown[]) => log.warn('nest.warned', fields(message, more)),
    error: (message: unknown, ...more: unknown[]) => log.error('nest.failed', fields(message, more)),
    fatal: (message: unknown, ...more: unknown[]) => log.error('nest.failed', fields(message, more)),
  };
}
