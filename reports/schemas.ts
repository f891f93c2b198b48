/**
 * The JSON Schemas of a bundle's documents and of the CloudEvent's data, for editors and for programs in other
 * languages. Written from the zod schemas: `node reports/schemas.ts` writes them again after a change.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { AlertChange } from '../evidence/alerts.ts';
import { JournalEntry } from '../evidence/journal.ts';
import { Plan } from '../evidence/plan.ts';
import { RequestTrace } from '../evidence/traces.ts';
import { VerdictDocument } from '../evidence/verdict.ts';
import { ResultEvent } from './cloudevent.ts';

const DOCUMENTS = {
  verdict: { schema: VerdictDocument, title: 'verdict.json: what the judge concluded' },
  plan: { schema: Plan, title: 'plan.json: everything that a run meant to do' },
  journal: { schema: JournalEntry, title: 'One line of journal.ndjson' },
  alerts: { schema: AlertChange, title: 'One line of alerts.ndjson' },
  traces: { schema: RequestTrace, title: 'One line of traces.ndjson' },
  cloudevent: { schema: ResultEvent, title: 'result.cloudevent.json: the result as a CloudEvent' },
} as const;

export const SCHEMA_DIR = fileURLToPath(new URL('schema/', import.meta.url));

/** File name -> JSON Schema (draft 2020-12). */
export function jsonSchemas(): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(DOCUMENTS).map(([name, { schema, title }]) => {
      const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
      return [`${name}.schema.json`, { $schema, title, ...rest }];
    }),
  );
}

if (import.meta.main) {
  await mkdir(SCHEMA_DIR, { recursive: true });
  for (const [file, schema] of Object.entries(jsonSchemas()))
    await writeFile(`${SCHEMA_DIR}${file}`, `${JSON.stringify(schema, null, 2)}\n`);
}
