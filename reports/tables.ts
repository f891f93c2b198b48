/** The one place of `reports/` that speaks DuckDB: the bundle's Parquet files as views, missing ones as empty tables. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { FILES, TABLES, type TableName } from '../evidence/tables.ts';

/** A text for SQL. A zero byte ends DuckDB's statement, so it is put in by its number. */
export const sqlText = (value: string): string =>
  value
    .split('\0')
    .map((piece) => `'${piece.replaceAll("'", "''")}'`)
    .join(' || chr(0) || ');

export interface Tables {
  /** Rows as JSON values: numbers (also for BIGINT), strings, arrays for lists. */
  rows(sql: string): Promise<Record<string, unknown>[]>;
  /** Table -> why it is not there; its view is then an empty table. */
  readonly missing: Partial<Record<TableName, string>>;
  close(): void;
}

const plain = (value: unknown): unknown => {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null && 'items' in value) return plain(value.items);
  return value;
};

/** Opens the tables of a bundle. A file that is absent or unreadable is reported in `missing`, never thrown. */
export async function openTables(dir: string): Promise<Tables> {
  const instance = await DuckDBInstance.create(':memory:');
  const db = await instance.connect();
  await db.run("SET preserve_insertion_order = false; SET memory_limit = '512MB'");
  const missing: Partial<Record<TableName, string>> = {};
  for (const table of Object.keys(TABLES) as TableName[]) {
    const path = join(dir, FILES[table]);
    const file = `'${path.replaceAll("'", "''")}'`;
    try {
      if (!existsSync(path)) throw new Error('the file is not in the bundle');
      await db.run(`CREATE VIEW ${table} AS FROM read_parquet(${file})`);
      const columns = [...TABLES[table].matchAll(/^ {2}(\w+) /gm)].map((m) => m[1]).join(', ');
      await db.run(`SELECT ${columns} FROM ${table} LIMIT 1`);
    } catch (error) {
      const message = error instanceof Error ? error.message.split('\n')[0] : String(error);
      missing[table] = String(message).replaceAll(path, FILES[table]);
      await db.run(`DROP VIEW IF EXISTS ${table}`);
      await db.run(TABLES[table]);
    }
  }
  return {
    missing,
    async rows(sql) {
      const result = await db.runAndReadAll(sql);
      return result
        .getRowObjects()
        .map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plain(value)])));
    },
    close() {
      db.closeSync();
      instance.closeSync();
    },
  };
}
