/**
 * DuckDB in memory: where evidence is gathered in a run, written to Parquet, and queried by the judge.
 * Bounded memory; no file is touched other than those that a caller names.
 */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { EvidenceError } from '../base/errors.ts';
import { TABLES, type TableName } from './tables.ts';

/** One value of a table's row. Integers must be safe integers. */
export type Cell = string | number | boolean | null;
export type Row = Record<string, Cell>;

/** Order of the rows in a file: neighbours are alike, so that they compress well, and a query can skip row groups. */
const FILE_ORDER: Record<TableName, string> = {
  requests: 'stream, n',
  ledger: 'event_id',
  series: 'kind, query, labels, phase, t_us',
};

/** Rows of a Parquet row group: DuckDB's own vector batch; measured no smaller on disk and slower with 4 times as many. */
const ROW_GROUP = 122_880;

export interface Column {
  name: string;
  /** DuckDB's name of it, in capitals. */
  type: string;
}

export interface DatabaseOptions {
  /** Megabytes that tables and query operators may take; a query that needs more fails. Default 800. */
  memoryMb?: number;
  /** Default: DuckDB's own choice, one a core. */
  threads?: number;
}

export class Database {
  private readonly instance: DuckDBInstance;
  private readonly connection: DuckDBConnection;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.instance = instance;
    this.connection = connection;
  }

  static async open({ memoryMb = 800, threads }: DatabaseOptions = {}): Promise<Database> {
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: `${memoryMb}MB`,
      // No spilling: it would leave files behind when the process is killed.
      temp_directory: '',
      autoinstall_known_extensions: 'false',
      ...(threads === undefined ? {} : { threads: String(threads) }),
    });
    return new Database(instance, await instance.connect());
  }

  close(): void {
    this.connection.closeSync();
    this.instance.closeSync();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** From now on no SQL reaches anything outside of one directory, nor takes that back: a plan's SQL may come from elsewhere. */
  async confine(directory: string): Promise<void> {
    await this.run(
      `SET allowed_directories = [${quote(directory)}]; SET enable_external_access = false; SET lock_configuration = true`,
    );
  }

  /** Runs one or more statements for their effect. */
  async run(sql: string): Promise<void> {
    await this.connection.run(sql);
  }

  /**
   * All rows of one statement (several are refused). Integers come as numbers.
   * @throws EvidenceError for an integer beyond 2^53 (cast it to VARCHAR in the query), Error with DuckDB's words otherwise.
   */
  async rows<T extends object = Row>(sql: string): Promise<T[]> {
    const statement = await this.connection.prepare(sql);
    try {
      const reader = await statement.runAndReadAll();
      return reader.getRowObjectsJS().map((row) => {
        for (const key in row) {
          const value = row[key];
          if (typeof value === 'bigint') row[key] = safeNumber(value, key);
          else if (Array.isArray(value))
            row[key] = value.map((v) => (typeof v === 'bigint' ? safeNumber(v, key) : v));
        }
        return row as T;
      });
    } finally {
      statement.destroySync();
    }
  }

  /** The single row of a statement that must give exactly one. */
  async row<T extends object = Row>(sql: string): Promise<T> {
    const rows = await this.rows<T>(sql);
    if (rows.length !== 1) throw new EvidenceError(`expected one row, got ${rows.length}: ${sql}`);
    return rows[0] as T;
  }

  /** Columns of a table or view, in their order. */
  async columns(table: string): Promise<Column[]> {
    const described = await this.rows<{ column_name: string; column_type: string }>(`DESCRIBE ${table}`);
    return described.map(({ column_name, column_type }) => ({ name: column_name, type: column_type }));
  }

  /** Creates an empty table of the bundle's schema. */
  async createTable(name: TableName): Promise<void> {
    await this.run(TABLES[name]);
  }

  /** Appends rows in bulk; a field that a row lacks is NULL, one that the table does not know is an error. */
  async append(table: TableName, rows: Iterable<object>): Promise<void> {
    const columns = await this.columns(table);
    const known = new Set(columns.map((c) => c.name));
    const appender = await this.connection.createAppender(table);
    try {
      for (const row of rows) {
        const cells = row as Row;
        for (const key in cells)
          if (!known.has(key)) throw new TypeError(`table ${table} has no column "${key}"`);
        for (const { name, type } of columns) {
          const value = cells[name];
          if (value === null || value === undefined) appender.appendNull();
          else if (type === 'VARCHAR') appender.appendVarchar(String(value));
          else if (type === 'BOOLEAN') appender.appendBoolean(Boolean(value));
          else if (type === 'DOUBLE') appender.appendDouble(Number(value));
          else if (type === 'BIGINT') appender.appendBigInt(BigInt(value));
          else if (type === 'INTEGER') appender.appendInteger(Number(value));
          else if (type === 'SMALLINT') appender.appendSmallInt(Number(value));
          else throw new TypeError(`column ${table}.${name} has a type that append does not know: ${type}`);
        }
        appender.endRow();
      }
      appender.flushSync();
    } finally {
      appender.closeSync();
    }
  }

  /** Writes a table as a bundle's Parquet file, in the order of {@link FILE_ORDER}. */
  async writeParquet(table: TableName, file: string): Promise<void> {
    await this.run(copySql(`SELECT * FROM ${table} ORDER BY ${FILE_ORDER[table]}`, file));
  }
}

/** COPY statement for a bundle's Parquet file. `select` must give its rows in the file's order. */
export function copySql(select: string, file: string): string {
  return `COPY (${select}) TO ${quote(file)} (FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP})`;
}

/** A text as an SQL literal. A zero byte would end DuckDB's statement, so it is put in by its number. */
export function quote(text: string): string {
  return text
    .split('\0')
    .map((piece) => `'${piece.replaceAll("'", "''")}'`)
    .join(' || chr(0) || ');
}

function safeNumber(value: bigint, column: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new EvidenceError(`column ${column}: ${value} is beyond the integers that are exact`);
  return number;
}
