/**
 * Reads a bundle for the reports. Nothing here throws for what is missing or broken: a crash leaves half a bundle, and
 * its report has to say what is not there.
 */
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { z } from 'zod';
import { AlertChange } from '../evidence/alerts.ts';
import { JournalEntry } from '../evidence/journal.ts';
import { type Phase, Plan } from '../evidence/plan.ts';
import { FILES } from '../evidence/tables.ts';
import { RequestTrace } from '../evidence/traces.ts';
import { VERDICT_VERSION, VerdictDocument } from '../evidence/verdict.ts';
import { openTables } from './tables.ts';
import { collectTimeline, type Timeline } from './timeline.ts';
import { collectUnanswered, type Unanswered } from './unanswered.ts';

/** A file of the bundle, or a part of one, that the report could not use, and why. */
export interface Missing {
  file: string;
  reason: string;
}

/** What a bundle says, without the points of its curves. */
export interface Outcome {
  dir: string;
  /** Run id, or the directory's name when neither plan nor verdict has one. */
  id: string;
  plan: Plan | undefined;
  verdict: VerdictDocument;
  /** False: there is no valid verdict.json, and `verdict` stands in for it as `unknown`. */
  judged: boolean;
  journal: JournalEntry[];
  alerts: AlertChange[];
  missing: Missing[];
}

export interface ReportBundle extends Outcome {
  /** Empty: the run was told of no store of traces. */
  traces: RequestTrace[];
  timeline: Timeline;
  unanswered: Unanswered;
}

async function readText(dir: string, file: string, missing: Missing[]): Promise<string | undefined> {
  try {
    return await readFile(join(dir, file), 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    missing.push({
      file,
      reason: code === 'ENOENT' ? 'the file is not in the bundle' : `cannot be read (${code})`,
    });
    return undefined;
  }
}

const firstIssue = (error: z.ZodError) => {
  const issue = error.issues[0];
  return issue ? `${issue.path.join('.') || 'document'}: ${issue.message}` : 'does not match its schema';
};

async function readDocument<T>(dir: string, file: string, schema: z.ZodType<T>, missing: Missing[]) {
  const text = await readText(dir, file, missing);
  if (text === undefined) return undefined;
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    missing.push({ file, reason: `does not match its schema (${firstIssue(parsed.error)})` });
  } catch {
    missing.push({ file, reason: 'is not JSON' });
  }
  return undefined;
}

async function readLines<T>(
  dir: string,
  file: string,
  schema: z.ZodType<T>,
  missing: Missing[],
): Promise<T[]> {
  const text = await readText(dir, file, missing);
  const entries: T[] = [];
  let bad = 0;
  for (const line of (text ?? '').split('\n')) {
    if (line.trim() === '') continue;
    try {
      const parsed = schema.safeParse(JSON.parse(line));
      if (parsed.success) entries.push(parsed.data);
      else bad++;
    } catch {
      bad++;
    }
  }
  if (bad > 0) missing.push({ file, reason: `${bad} of its lines cannot be read` });
  return entries;
}

/** The journal's clock starts when it is opened; the run, and everything else in the bundle, at `run.started`. */
function fromOrigin(journal: JournalEntry[]): JournalEntry[] {
  const origin = journal.find((entry) => entry.type === 'run.started')?.t ?? 0;
  return journal.map((entry) => ({ ...entry, t: entry.t - origin }));
}

/** What is shown when nobody judged the bundle: `unknown`, because its evidence of a verdict is missing. */
function unjudged(
  id: string,
  plan: Plan | undefined,
  journal: JournalEntry[],
  missing: Missing[],
): VerdictDocument {
  const ended = journal.find((entry) => entry.type === 'run.ended');
  const last = journal.at(-1)?.t ?? 0;
  const outcome = ended?.type === 'run.ended' ? ended.outcome : 'crashed';
  return {
    version: VERDICT_VERSION,
    verdict: 'unknown',
    reasons: missing.filter((m) => m.file === FILES.verdict).map((m) => `${m.file} ${m.reason}`),
    run: {
      id,
      scenario: plan?.scenario.name ?? id,
      title: plan?.scenario.title ?? 'A run without a plan',
      claim: plan?.scenario.claim ?? '',
      target: plan?.target.name ?? 'not recorded',
      profile: plan?.profile.name ?? 'not recorded',
      seed: plan?.run.seed ?? 0,
      timeScale: plan?.run.timeScale ?? 1,
      startedAt: plan?.run.startedAt ?? journal[0]?.wall ?? '',
      durationMs: last,
      defects: plan?.run.defects ?? [],
      ...(plan?.run.loadScale ? { loadScale: plan.run.loadScale } : {}),
      outcome,
      outcomeReason: ended?.type === 'run.ended' ? (ended.reason ?? null) : 'the journal has no end',
    },
    phases: plan?.phases ?? [],
    checks: [],
    objectives: [],
    alerts: [],
    faults: [],
    recovery: [],
    core: [],
    ledger: [],
  };
}

/** Reads the documents of a bundle, and not its tables. */
export async function readOutcome(bundleDir: string): Promise<Outcome> {
  const dir = resolve(bundleDir);
  const missing: Missing[] = [];
  const found = await readDocument(dir, FILES.verdict, VerdictDocument, missing);
  const plan = await readDocument(dir, FILES.plan, Plan, missing);
  const journal = fromOrigin(await readLines(dir, FILES.journal, JournalEntry, missing));
  const alerts = await readLines(dir, FILES.alerts, AlertChange, missing);
  const id = found?.run.id ?? plan?.run.id ?? basename(dir);
  const verdict = found ?? unjudged(id, plan, journal, missing);
  for (const entry of journal)
    if (entry.type === 'evidence.missing') missing.push({ file: entry.what, reason: entry.reason });
  return { dir, id, plan, verdict, judged: found !== undefined, journal, alerts, missing };
}

/** Reads everything that the reports show of one run. `buckets`: how many points the longest line may have. */
export async function readBundle(bundleDir: string, buckets = 400): Promise<ReportBundle> {
  const outcome = await readOutcome(bundleDir);
  const { plan, verdict } = outcome;
  const phases: Phase[] = verdict.phases.length > 0 ? verdict.phases : (plan?.phases ?? []);
  const tables = await openTables(outcome.dir);
  using db = tables.db;
  const timeline = await collectTimeline({ ...outcome, phases, buckets }, tables);
  const unanswered = await collectUnanswered(db);
  // Only there when somebody asked for them.
  const asked = outcome.journal.some(({ type }) => type === 'traces.collected');
  const traces = asked ? await readLines(outcome.dir, FILES.traces, RequestTrace, outcome.missing) : [];
  const noTables = Object.entries(timeline.missing).map(([file, reason]) => ({ file, reason }));
  return { ...outcome, timeline, unanswered, traces, missing: [...outcome.missing, ...noTables] };
}
