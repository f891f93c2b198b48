import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { FAULTS } from './index.ts';

it.each([...FAULTS.keys()])('docs/write-a-scenario.md names %s', (kind) => {
  const page = readFileSync(new URL('../../docs/write-a-scenario.md', import.meta.url), 'utf8');
  expect(page).toContain(`\`${kind}\``);
});
