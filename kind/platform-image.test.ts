import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { PACKAGES, platformTag } from './platform-image.ts';

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
