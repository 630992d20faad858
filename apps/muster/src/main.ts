import { processLog } from '#runtime/index.js';

processLog('muster').info('muster.ready');
