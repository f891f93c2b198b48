/** The scenario's JSON Schema, for editors: `node scenarios/json-schema.ts` writes it. A test holds it up to date. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Scenario } from './schema.ts';

export const SCHEMA_FILE = fileURLToPath(new URL('./schema.json', import.meta.url));

export function scenarioJsonSchema(): string {
  // As a person writes it: durations and rates are still texts.
  return `${JSON.stringify({ title: 'Faultline scenario', ...z.toJSONSchema(Scenario, { io: 'input' }) }, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(SCHEMA_FILE, scenarioJsonSchema());
