/** The bundle's Parquet files as views of one database, missing ones as empty tables. One that was written before a column was added lacks it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Database, quote } from '../evidence/duckdb.ts';
import { ADDED_LATER, FILES, TABLES, type TableName } from '../evidence/tables.ts';

/** A report is a small part of a judgement's work. */
const MEMORY_MB = 512;

export interface Tables {
  db: Database;
  /** Table -> why it is not there; its view is then an empty table. */
  missing: Partial<Record<TableName, string>>;
}

/** Opens the tables of a bundle. A file that is absent or unreadable is reported in `missing`, never thrown. */
export async function openTables(dir: string): Promise<Tables> {
  const db = await Database.open({ memoryMb: MEMORY_MB });
  const missing: Tables['missing'] = {};
  for (const table of Object.keys(TABLES) as TableName[]) {
    const path = join(dir, FILES[table]);
    try {
      if (!existsSync(path)) throw new Error('the file is not in the bundle');
      await db.run(`CREATE VIEW ${table} AS FROM read_parquet(${quote(path)})`);
      const columns = [...TABLES[table].matchAll(/^ {2}(\w+) /gm)].map((m) => String(m[1]));
      const always = columns.filter((name) => !ADDED_LATER[table]?.includes(name));
      await db.rows(`SELECT ${always.join(', ')} FROM ${table} LIMIT 1`);
    } catch (error) {
      const message = error instanceof Error ? error.message.split('\n')[0] : String(error);
      missing[table] = String(message).replaceAll(path, FILES[table]);
      await db.run(`DROP VIEW IF EXISTS ${table}`);
      await db.createTable(table);
    }
  }
  return { db, missing };
}
