import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { SCHEMA_FILE, scenarioJsonSchema } from './json-schema.ts';

it('schema.json is what the schema says (else run: node scenarios/json-schema.ts)', () => {
  expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(scenarioJsonSchema());
});
