import { expect, it } from 'vitest';
import { ownEnvironment } from './installation.js';

it("starts the demo's own server by the demo's settings alone, whatever the caller's are", () => {
  const callers = {
    PATH: '/usr/bin',
    HOME: '/home/someone',
    MUSTER_DATA: '/srv/muster',
    MUSTER_PORT: '8080',
    MUSTER_HOST: '0.0.0.0',
    MUSTER_HOSTS: 'muster.example',
    MUSTER_LOG: 'kafka',
    MUSTER_LOG_LEVEL: 'error',
    MUSTER_KEK_FILE: '/srv/kek',
    KAFKA_BROKERS: 'broker.example:9092',
    DATABASE_URL: 'postgres://muster@db.example/muster',
  };
  expect(ownEnvironment('/tmp/demo', callers)).toEqual({
    PATH: '/usr/bin',
    HOME: '/home/someone',
    MUSTER_DATA: '/tmp/demo/server',
    MUSTER_HOST: '127.0.0.1',
    MUSTER_PORT: '0',
    MUSTER_HANDSET_PORT: '0',
  });
});
