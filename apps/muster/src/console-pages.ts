import { fileURLToPath } from 'node:url';
import { StaticPages } from '#runtime/nest/runtime.module.js';

/** The web console, as `npm start` and `npm run build:console` build it. */
export const consolePages = (): StaticPages =>
  new StaticPages('/console/', fileURLToPath(new URL('../../console/', import.meta.url)), 'npm run build:console');
