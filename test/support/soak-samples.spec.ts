import { describe, expect, it } from 'vitest';
import { metricIn } from './soak-samples.js';

const METRICS = `# HELP muster_nodejs_active_handles_total Total number of active handles.
# TYPE muster_nodejs_active_handles_total gauge
muster_nodejs_active_handles_total 17
muster_nodejs_heap_size_used_bytes 8.1e7
`;

describe('a metric of the server', () => {
  it('is read from its line', () => {
    expect(metricIn(METRICS, 'active_handles_total')).toBe(17);
    expect(metricIn(METRICS, 'heap_size_used_bytes')).toBe(81_000_000);
  });

  it('that is not there ends the soak', () => {
    expect(() => metricIn(METRICS, 'external_memory_bytes')).toThrow(/^no .*external_memory_bytes/);
    expect(() => metricIn('', 'active_handles_total')).toThrow();
  });
});
