import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { jsonSchemas, SCHEMA_DIR } from './schemas.ts';

it.each(Object.entries(jsonSchemas()))(
  '%s is what the zod schema says (else run: node reports/schemas.ts)',
  async (file, schema) => {
    const written: unknown = JSON.parse(await readFile(`${SCHEMA_DIR}${file}`, 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(schema)));
    expect(written).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema' });
  },
);

it('has a schema for each document', () =>
  expect(Object.keys(jsonSchemas())).toEqual([
    'verdict.schema.json',
    'plan.schema.json',
    'journal.schema.json',
    'alerts.schema.json',
    'traces.schema.json',
    'cloudevent.schema.json',
  ]));
