/** What every checker is given: the plan, and the rest of the bundle, read once, on demand; what can not be read throws. */
import { EvidenceError } from '../../base/errors.ts';
import type { AlertChange } from '../../evidence/alerts.ts';
import type { Bundle, JournalLines, Lines } from '../../evidence/bundle.ts';
import type { Database } from '../../evidence/duckdb.ts';
import type { JournalEntry, JournalType } from '../../evidence/journal.ts';
import type { Plan } from '../../evidence/plan.ts';
import { FILES, type TableName } from '../../evidence/tables.ts';
import type { Check, Evidence, Verdict, VerdictDocument } from '../../evidence/verdict.ts';
import { type FaultFacts, faultFacts, revertLateMs } from './fault-facts.ts';
import { createScaling } from './scaling-view.ts';
import { LEDGER_VIEW, REQUESTS_VIEW, SERIES_VIEW } from './views.ts';

/** What a checker concludes: its checks, and the rows that it adds to the document's tables. */
export interface Finding {
  checks: Check[];
  objectives?: VerdictDocument['objectives'];
  alerts?: VerdictDocument['alerts'];
  faults?: VerdictDocument['faults'];
  recovery?: VerdictDocument['recovery'];
  core?: VerdictDocument['core'];
  ledger?: VerdictDocument['ledger'];
}

/** A pure function of the history. Checkers do not know of each other. */
export type Checker = (context: Context) => Promise<Finding>;

export interface Judgement {
  verdict: Verdict;
  message: string;
  evidence: Evidence[];
}

export type View = TableName | 'scaling';

export class Context {
  readonly bundle: Bundle;
  readonly plan: Plan;
  readonly db: Database;
  private journalOnce: Promise<JournalLines> | undefined;
  private alertsOnce: Promise<Lines<AlertChange>> | undefined;
  private readonly views = new Map<View, Promise<void>>();

  constructor(bundle: Bundle, db: Database) {
    this.bundle = bundle;
    this.plan = bundle.plan;
    this.db = db;
  }

  /** @throws EvidenceError when the journal is missing or damaged */
  journalLines(): Promise<JournalLines> {
    this.journalOnce ??= this.bundle.journal();
    return this.journalOnce;
  }

  async journal(): Promise<JournalEntry[]> {
    return (await this.journalLines()).entries;
  }

  async entries<T extends JournalType>(type: T): Promise<Extract<JournalEntry, { type: T }>[]> {
    return (await this.journal()).filter((e): e is Extract<JournalEntry, { type: T }> => e.type === type);
  }

  /** @throws EvidenceError when the file is missing or damaged, or the journal says that some of it could not be had */
  async alerts(): Promise<AlertChange[]> {
    await this.refuseMissing((what) => /^alerts|^receiver|^webhook|^prometheus/i.test(what));
    return (await this.alertLines()).entries;
  }

  alertLines(): Promise<Lines<AlertChange>> {
    this.alertsOnce ??= this.bundle.alerts();
    return this.alertsOnce;
  }

  /** Makes a view available to SQL. @throws EvidenceError when what it is made of is missing or damaged */
  need(view: View): Promise<void> {
    let made = this.views.get(view);
    if (!made) {
      made = this.make(view);
      this.views.set(view, made);
    }
    return made;
  }

  private async make(view: View): Promise<void> {
    if (view === 'scaling') {
      await this.need('requests');
      await this.need('series');
      // Work that came in as events is still demand while it is being processed; without a ledger only answers count.
      const hasLedger = this.bundle.has('ledger');
      if (hasLedger) await this.need('ledger');
      return createScaling(this, hasLedger);
    }
    // A part of the ledger or of the requests that is missing puts the whole table in doubt; series stand for themselves.
    const part = view === 'series' ? null : `${FILES[view]}: `;
    await this.refuseMissing((what) => what === FILES[view] || (part !== null && what.startsWith(part)));
    await this.bundle.attach(this.db, view, `${view}_file`);
    const select = { requests: REQUESTS_VIEW, ledger: LEDGER_VIEW, series: SERIES_VIEW }[view];
    await this.db.run(`CREATE OR REPLACE VIEW ${view} AS ${select} FROM ${view}_file`);
  }

  /** Names a series query that an objective needs: gone with Prometheus, or by itself. */
  async needQuery(query: string): Promise<void> {
    await this.need('series');
    const name = `${FILES.series}: ${query}`;
    await this.refuseMissing(
      (what) =>
        what === query || what === name || what.startsWith(`${name} in `) || /^prometheus/i.test(what),
    );
  }

  private async refuseMissing(concerns: (what: string) => boolean): Promise<void> {
    if (!this.bundle.has('journal')) return;
    const missing = (await this.entries('evidence.missing')).find((e) => concerns(e.what));
    if (missing) throw new EvidenceError(`evidence is missing: ${missing.what}: ${missing.reason}`);
  }

  async faults(): Promise<FaultFacts[]> {
    return faultFacts(this.plan, await this.journal());
  }

  /** The faults whose effect was not proven, of those that touch [fromMs, toMs]. Without a plan of faults the journal is not read. */
  async unproven(fromMs: number, toMs: number): Promise<FaultFacts[]> {
    if (this.plan.faults.length === 0) return [];
    return (await this.faults()).filter((f) => {
      const [begin, end] = [Math.max(fromMs, f.planned.injectMs), Math.min(toMs, f.planned.revertMs)];
      const seen = Math.max(begin, f.proven ? (f.effectSeenMs ?? end) : end);
      return end > begin && seen - begin > (end - begin) / 2;
    });
  }

  /** The faults that were still there in [fromMs, toMs], though by the plan they should have been reverted: their injection took too long. */
  async overstayed(fromMs: number, toMs: number): Promise<FaultFacts[]> {
    if (this.plan.faults.length === 0) return [];
    return (await this.faults()).filter(
      (f) =>
        revertLateMs(this.plan, f) !== null && fromMs < (f.revertingMs ?? 0) && toMs > f.planned.revertMs,
    );
  }

  /** When the evidence ends, ms since the run's origin: it was asked for right after the drain, and nothing was observed after the target was taken down. */
  async endMs(): Promise<number> {
    const journal = await this.journal();
    const last = journal.at(-1)?.t ?? 0;
    return journal.reduce((end, e) => {
      if (e.type === 'target.down') return Math.min(end, e.t - e.seconds * 1000);
      return e.type === 'run.ended' || e.type === 'drain.ended' ? Math.min(end, e.t) : end;
    }, last);
  }

  /** Bounds of a phase of the plan; `run` is all of them. Undefined when there is no such phase. */
  window(phase: string): { startMs: number; endMs: number } | undefined {
    const { phases } = this.plan;
    const [first, last] = [phases[0], phases.at(-1)];
    if (phase === 'run') return first && last ? { startMs: first.startMs, endMs: last.endMs } : undefined;
    return phases.find((p) => p.name === phase);
  }

  /** Runs a judgement; whatever it throws makes the check `unknown`, never `pass`. */
  async check(
    what: Omit<Check, 'verdict' | 'message' | 'evidence' | 'informational'> & { informational?: boolean },
    judge: () => Promise<Judgement>,
  ): Promise<Check> {
    const judged = await judge().catch(
      (error: Error): Judgement => ({ verdict: 'unknown', message: this.explain(error), evidence: [] }),
    );
    const { id, group, title, informational = false } = what;
    return {
      id,
      group,
      title,
      verdict: judged.verdict,
      message: judged.message,
      informational,
      evidence: judged.evidence,
    };
  }

  /** An exception as a sentence of a verdict: no path, no stack. */
  explain(error: Error): string {
    const message = this.bundle
      .withoutPath(error.message)
      .split('\n')
      .filter((l) => l.trim() !== '')
      .slice(0, 3)
      .join(' ');
    return error instanceof EvidenceError ? message : `the checker failed: ${message}`;
  }
}
