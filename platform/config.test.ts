import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';

const AMQP_URL = 'amqp://guest:guest@127.0.0.1:5672';

describe('loadConfig', () => {
  it('has the documented defaults', () => {
    const config = loadConfig('receiver', { AMQP_URL });
    expect(config).toMatchObject({
      HOST: '127.0.0.1',
      AMQP_HEARTBEAT_S: 2,
      AMQP_CONNECT_TIMEOUT_MS: 1500,
      CONFIRM_TIMEOUT_MS: 2000,
      QUEUE_TYPE: 'classic',
      NAMESPACE: 'knative-lambda',
      RATE_LIMIT: 50,
      RATE_BURST: 100,
    });
    expect(config.DEFECTS.size).toBe(0);
    expect(
      loadConfig('gateway', { AMQP_URL, REGISTRY_URL: 'http://r', OPERATOR_URL: 'http://o', WORK_DIR: 'w' })
        .IDLE_MS,
    ).toBe(90_000);
  });
  it('reads a list of defects', () => {
    const { DEFECTS } = loadConfig('operator', {
      AMQP_URL,
      STATE_FILE: 's',
      DEFECTS: 'metrics-lie, slow-recovery',
    });
    expect([...DEFECTS]).toEqual(['metrics-lie', 'slow-recovery']);
  });
  it('names every problem at once', () => {
    const load = () =>
      loadConfig('builder', {
        AMQP_URL: 'http://x',
        REGISTRY_URL: 'nonsense',
        JOB_LIMIT: '0',
        DEFECTS: 'no-such',
      });
    expect(load).toThrow(ConfigError);
    for (const name of ['AMQP_URL', 'REGISTRY_URL', 'JOB_LIMIT', 'DEFECTS']) expect(load).toThrow(name);
  });
  it('takes an empty optional variable as unset, and drops a trailing slash', () => {
    const config = loadConfig('builder', {
      AMQP_URL,
      REGISTRY_URL: 'http://127.0.0.1:5000/',
      S3_ENDPOINT: '',
    });
    expect(config.S3_ENDPOINT).toBeUndefined();
    expect(config.REGISTRY_URL).toBe('http://127.0.0.1:5000');
  });
});
