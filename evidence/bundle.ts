/**
 * Reads an evidence bundle: a directory as docs/bundle.md describes it. Nothing is trusted: every line is validated,
 * every table's columns are compared with evidence/tables.ts. Messages name files by their name inside the bundle, never by
 * the path of this machine, because they end up in verdicts.
 */
import { closeSync, createReadStream, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { EvidenceError } from '../base/errors.ts';
import { AlertChange } from './alerts.ts';
import { type Column, type Database, quote } from './duckdb.ts';
import { JournalEntry } from './journal.ts';
import { BUNDLE_VERSION, Plan } from './plan.ts';
import { ADDED_LATER, FILES, TABLES, type TableName } from './tables.ts';

/** What an NDJSON file holds. `torn`: its last line was cut off in the middle, as when the writer is killed; it is left out. */
export interface Lines<T> {
  entries: T[];
  torn: boolean;
}

export interface JournalLines extends Lines<JournalEntry> {
  /** False: there is no `run.started`, so the entries' `t` could not be rebased to the run's origin. */
  started: boolean;
  /** Line where `seq` does not go up by one: entries were lost or reordered. */
  gap: string | null;
}

export class Bundle {
  readonly dir: string;
  readonly plan: Plan;

  private constructor(dir: string, plan: Plan) {
    this.dir = dir;
    this.plan = plan;
  }

  /** @throws EvidenceError when there is no bundle, or its plan is missing or not valid: without a plan nothing can be judged. */
  static open(directory: string): Bundle {
    const dir = resolve(directory);
    if (!existsSync(dir) || !statSync(dir).isDirectory())
      throw new EvidenceError(`${directory} is not a bundle: no such directory`);
    const file = join(dir, FILES.plan);
    if (!existsSync(file)) throw new EvidenceError(`${directory} is not a bundle: it has no ${FILES.plan}`);
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(file, 'utf8'));
    } catch (cause) {
      throw new EvidenceError(`${FILES.plan}: not valid JSON: ${(cause as Error).message}`, { cause });
    }
    const { version, versions } = (value ?? {}) as { version?: unknown; versions?: { faultline?: string } };
    if (typeof version === 'number' && version !== BUNDLE_VERSION)
      throw new EvidenceError(
        `${directory} is a bundle of version ${version}, and this Faultline reads version ${BUNDLE_VERSION}: use the one that wrote it (${versions?.faultline ?? 'it does not say which'})`,
      );
    const plan = Plan.safeParse(value);
    if (!plan.success) throw new EvidenceError(`${FILES.plan}: ${firstIssue(plan.error)}`);
    return new Bundle(dir, plan.data);
  }

  path(file: keyof typeof FILES): string {
    return join(this.dir, FILES[file]);
  }

  has(file: keyof typeof FILES): boolean {
    return existsSync(this.path(file));
  }

  /**
   * The journal, `t` rebased to the run's origin (the entry `run.started`).
   * @throws EvidenceError when it is missing, or a line other than a torn last one is not a journal entry.
   */
  async journal(): Promise<JournalLines> {
    const { entries, torn } = await this.lines('journal', JournalEntry);
    const origin = entries.find((e) => e.type === 'run.started')?.t;
    let gap: string | null = null;
    entries.forEach((entry, i) => {
      const before = entries[i - 1];
      if (gap === null && before && entry.seq !== before.seq + 1)
        gap = `${FILES.journal}:${i + 1}: seq ${entry.seq} follows ${before.seq}`;
    });
    return {
      entries: origin === undefined ? entries : entries.map((e) => ({ ...e, t: e.t - origin })),
      torn,
      started: origin !== undefined,
      gap,
    };
  }

  /** Alert changes in the order of time. @throws EvidenceError as {@link journal}. */
  async alerts(): Promise<Lines<AlertChange>> {
    const { entries, torn } = await this.lines('alerts', AlertChange);
    return { entries: entries.sort((a, b) => a.t - b.t), torn };
  }

  /**
   * Makes a Parquet file a view of the database.
   * @param view name of the view; rows and columns are those of the file
   * @throws EvidenceError when the file is missing, can not be read, or has other columns than evidence/tables.ts says, with or
   *   without those that were added later
   */
  async attach(db: Database, table: TableName, view: string): Promise<void> {
    const file = FILES[table];
    if (!this.has(table)) throw new EvidenceError(`${file} is missing`);
    let found: Column[];
    try {
      await db.run(
        `CREATE OR REPLACE VIEW ${view} AS SELECT * FROM read_parquet(${quote(this.path(table))})`,
      );
      found = await db.columns(view);
    } catch (cause) {
      throw new EvidenceError(`${file} can not be read: ${this.withoutPath((cause as Error).message)}`, {
        cause,
      });
    }
    await db.run(
      TABLES[table]
        .replace('CREATE TABLE', 'CREATE OR REPLACE TEMP TABLE')
        .replace(` ${table} (`, ' expected_columns ('),
    );
    const expected = await db.columns('expected_columns');
    await db.run('DROP TABLE expected_columns');
    const before = expected.filter(({ name }) => !ADDED_LATER[table]?.includes(name));
    const text = (columns: Column[]) => columns.map(({ name, type }) => `${name} ${type}`).join(', ');
    if (text(found) !== text(expected) && text(found) !== text(before))
      throw new EvidenceError(`${file} has the columns ${text(found)}: expected ${text(expected)}`);
  }

  /** A message without this machine's path of the bundle. */
  withoutPath(message: string): string {
    return message.replaceAll(`${this.dir}/`, '').replaceAll(this.dir, '.');
  }

  private async lines<S extends z.ZodType>(
    name: 'journal' | 'alerts',
    schema: S,
  ): Promise<Lines<z.output<S>>> {
    const file = this.path(name);
    if (!existsSync(file)) throw new EvidenceError(`${FILES[name]} is missing`);
    const entries: z.output<S>[] = [];
    const ended = endsWithNewline(file);
    let bad: string | null = null;
    let line = 0;
    const reader = createInterface({
      input: createReadStream(file, 'utf8'),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const text of reader) {
      // Only the last line may be torn: whatever follows a bad line shows that it is garbage.
      if (bad !== null) throw new EvidenceError(bad);
      line++;
      const parsed = parseLine(text, schema);
      if (parsed.ok) entries.push(parsed.value);
      else bad = `${FILES[name]}:${line}: ${parsed.message}`;
    }
    if (bad !== null && ended) throw new EvidenceError(bad);
    return { entries, torn: bad !== null };
  }
}

type ParsedLine<T> = { ok: true; value: T } | { ok: false; message: string };

function parseLine<S extends z.ZodType>(text: string, schema: S): ParsedLine<z.output<S>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: 'not valid JSON' };
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, message: firstIssue(parsed.error) };
}

function endsWithNewline(file: string): boolean {
  const { size } = statSync(file);
  if (size === 0) return true;
  const handle = openSync(file, 'r');
  try {
    const last = Buffer.alloc(1);
    readSync(handle, last, 0, 1, size - 1);
    return last[0] === 0x0a;
  } finally {
    closeSync(handle);
  }
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (!issue) return 'not valid';
  return issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : issue.message;
}
