import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { FakeEngine } from './fake-engine.ts';
import { functionBaseImage } from './function-base.ts';
import { PACKAGES, platformImage, platformTag } from './platform-image.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

test('the image has every package that the platform imports, and no other', () => {
  const imported = new Set<string>();
  for (const file of globSync('platform/**/*.ts', { cwd: ROOT })) {
    if (file.includes('.test.') || file.startsWith('platform/testing/')) continue;
    const text = readFileSync(`${ROOT}/${file}`, 'utf8');
    for (const [, name] of text.matchAll(/(?:from|import\() ?'([^.'][^']*)'/g))
      if (name && !name.startsWith('node:')) imported.add(name);
  }
  expect([...imported].sort()).toEqual(PACKAGES);
});

test('its tag names its content', () => {
  expect(platformTag()).toMatch(/^faultline\.dev\/platform:[0-9a-f]{12}$/);
  expect(platformTag()).toBe(platformTag());
});

/** What others than the owner can not read, or not enter. */
function closed(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      const { mode } = statSync(path);
      return (mode & 0o044) !== 0o044 || (statSync(path).isDirectory() && (mode & 0o011) !== 0o011);
    });
}

const umask = process.umask();
afterEach(() => {
  process.umask(umask);
  vi.unstubAllEnvs();
});

test.each([
  ['the platform', platformImage],
  ['what functions stand on', functionBaseImage],
])(
  '%s can be read by whom containers run as, whatever this user’s umask is',
  { timeout: 120_000 },
  async (_, make) => {
    const cache = mkdtempSync(join(tmpdir(), 'faultline-platform-'));
    vi.stubEnv('XDG_CACHE_HOME', cache);
    process.umask(0o077);
    const found: string[][] = [];
    const engine = new FakeEngine((call, args) => {
      if (call.startsWith('build ')) found.push(closed(args.at(-1) as string));
      return undefined;
    });
    engine.hasImage = async (tag) => tag.includes('tools-system');
    try {
      await make(engine, () => {});
    } finally {
      rmSync(cache, { recursive: true });
    }
    expect(found).toEqual([[]]);
  },
);
