import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from '#runtime/nest/runtime.module.js';
import { derived, MusterConfig } from './muster.config.js';

const faultsOf = (env: NodeJS.ProcessEnv): string[] => {
  try {
    loadConfig(MusterConfig, env);
    return [];
  } catch (error) {
    return error instanceof ConfigError ? error.fields.map(({ pointer }) => pointer) : [String(error)];
  }
};

describe('settings', () => {
  it('start on loopback without any variable', () => {
    const config = loadConfig(MusterConfig, {});
    expect(config).toMatchObject({ host: '127.0.0.1', port: 8080, handsetPort: 8443, data: '.muster' });
    expect(derived(config).isLoopback).toBe(true);
  });

  it('keep messages away from private networks unless they say otherwise', () => {
    expect(loadConfig(MusterConfig, {}).privateTargets).toBe(false);
    expect(loadConfig(MusterConfig, { MUSTER_PRIVATE_TARGETS: 'true' }).privateTargets).toBe(true);
  });

  it('are read by their variables, an empty one counts as absent', () => {
    const env = { MUSTER_PORT: '0', MUSTER_HANDSET_PORT: '', MUSTER_HOSTS: 'a.example, b.example' };
    expect(loadConfig(MusterConfig, env)).toMatchObject({
      port: 0,
      handsetPort: 8443,
      hosts: ['a.example', 'b.example'],
    });
  });

  it.each([
    [{ MUSTER_PORT: 'http' }, '/MUSTER_PORT'],
    [{ MUSTER_PORT: '65536' }, '/MUSTER_PORT'],
    [{ MUSTER_HOSTS: 'a b' }, '/MUSTER_HOSTS'],
    [{ MUSTER_POLL_INTERVAL_SECONDS: '5' }, '/MUSTER_POLL_INTERVAL_SECONDS'],
    [{ MUSTER_PRIVATE_TARGETS: '1' }, '/MUSTER_PRIVATE_TARGETS'],
    [{ MUSTER_HANDSET_LEAST_PER_SECOND: '0' }, '/MUSTER_HANDSET_LEAST_PER_SECOND'],
    [{ MUSTER_LOG: 'paper' }, '/MUSTER_LOG'],
    [{ MUSTER_LOG: 'kafka' }, '/KAFKA_BROKERS'],
    [{ MUSTER_LOG: 'kafka', KAFKA_BROKERS: 'nowhere' }, '/KAFKA_BROKERS'],
    [{ DATABASE_URL: 'mysql://x/y' }, '/DATABASE_URL'],
  ])('refuses %o and names the variable', (env, pointer) => expect(faultsOf(env)).toEqual([pointer]));

  it('tells all faults at once', () => {
    expect(faultsOf({ MUSTER_PORT: '-1', MUSTER_LOG: 'x' })).toEqual(['/MUSTER_LOG', '/MUSTER_PORT']);
  });

  it.each([
    ['127.0.0.5', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['192.168.1.4', false],
    ['127.example', false],
  ])('takes %s for loopback: %s', (host, isLoopback) => {
    expect(derived(loadConfig(MusterConfig, { MUSTER_HOST: host })).isLoopback).toBe(isLoopback);
  });
});
