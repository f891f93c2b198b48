import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RefusedError } from '../base/errors.ts';
import { Engine, findEngine } from './engine.ts';

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
beforeEach(() => {
  for (const name of PROXIES) for (const each of [name, name.toLowerCase()]) vi.stubEnv(each, undefined);
});
afterEach(() => vi.unstubAllEnvs());

describe('what an engine is called with', () => {
  const withoutProxy = () => {
    const { NO_PROXY, no_proxy } = new Engine(undefined).env;
    return [NO_PROXY, no_proxy];
  };

  it('lets no proxy stand between the nodes and the registry beside them', () => {
    vi.stubEnv('HTTP_PROXY', 'http://proxy.example:3128');
    expect(withoutProxy()).toEqual(['faultline-registry', 'faultline-registry']);
    vi.stubEnv('no_proxy', 'localhost,.example');
    const both = 'localhost,.example,faultline-registry';
    expect(withoutProxy()).toEqual([both, both]);
    vi.stubEnv('NO_PROXY', '10.0.0.0/8');
    expect(withoutProxy()).toEqual(['10.0.0.0/8,faultline-registry', both]);
  });

  it('says nothing of proxies where there is none', () => {
    expect(withoutProxy()).toEqual([undefined, undefined]);
  });
});

describe('findEngine', () => {
  let bin: string;
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'faultline-docker-'));
    vi.stubEnv('PATH', `${bin}:/usr/bin:/bin`);
    vi.stubEnv('DOCKER_HOST', undefined);
  });
  afterEach(() => rmSync(bin, { recursive: true, force: true }));

  /** The client of the user's own engine; Faultline's own gives no answer. */
  const docker = (answers: string) => {
    writeFileSync(
      join(bin, 'docker'),
      `#!/bin/sh\n[ -z "$DOCKER_HOST" ] || exit 1\ncase "$1" in\n${answers}\nesac\n`,
    );
    chmodSync(join(bin, 'docker'), 0o755);
  };

  it('takes the one that answers', async () => {
    docker('network) echo 127.0.0.1 ;;\n*) echo 20.10.24 ;;');
    expect((await findEngine()).host).toBeUndefined();
  });

  it('does not take one whose networks are elsewhere, and says what to do', async () => {
    docker('info) echo \'["name=rootless"] Debian\' ;;\n*) echo 20.10.24 ;;');
    await expect(findEngine()).rejects.toSatisfy(
      (error) => error instanceof RefusedError && /is rootless: .*run `make engine`/.test(error.message),
    );
  });

  it('says it when none answers', async () => {
    docker('*) exit 1 ;;');
    await expect(findEngine()).rejects.toThrow(/^container engine: none answers: run `make engine`/);
  });
});
