import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LEDGER_VIEW, REQUESTS_VIEW } from './views.ts';

it('shows users the views that plans are written against as they are', () => {
  const flat = (text: string) => text.replaceAll(/\s+/g, ' ');
  const shown = flat(readFileSync(join(import.meta.dirname, '../../docs/bundle.md'), 'utf8'));
  expect(shown).toContain(`CREATE VIEW requests AS ${flat(REQUESTS_VIEW)} FROM 'requests.parquet';`);
  expect(shown).toContain(`CREATE VIEW ledger AS ${flat(LEDGER_VIEW)} FROM 'ledger.parquet';`);
});
