import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { contentKey } from '../kind/cache.ts';
import { goCommands } from '../kind/go-build.ts';
import { PINS } from '../kind/pins.ts';
import { kindBudget, missingCommands } from './kind-budget.ts';

describe('kindBudget', () => {
  it.each([
    [{ gone: 26, limit: 60 }, [], true, /in the cache; needs 20 minutes, 34 of 60 are left/],
    [{ gone: 26, limit: 60 }, ['kubernetes'], false, /NOT tried: not in the cache: kubernetes; needs 60/],
    [{ gone: 26, limit: 86 }, ['kubernetes', 'etcd'], true, /kubernetes, etcd/],
    [{ gone: 50, limit: 60 }, [], false, /NOT tried.*10 of 60 are left/],
  ])('%j, missing %j: %s', (minutes, missing, run, because) => {
    expect(kindBudget(minutes, missing)).toEqual({ run, because: expect.stringMatching(because) });
  });

  it('names what is not there, and not what is', () => {
    const cache = mkdtempSync(join(tmpdir(), 'faultline-budget-'));
    try {
      const { inputs } = goCommands('etcd', PINS.etcd);
      mkdirSync(join(cache, contentKey('etcd', inputs)));
      expect(missingCommands(cache)).toEqual(expect.arrayContaining(['kubernetes', 'knative', 'versitygw']));
      expect(missingCommands(cache)).not.toContain('etcd');
    } finally {
      rmSync(cache, { recursive: true });
    }
  });
});
