/**
 * One run from its directories to its verdict's evidence: target up, functions deployed, load and faults on one
 * timeline, drain, collection, target down, audit. Whatever happens on the way, the undo is carried out and the journal
 * says how it ended; the judge then reads the bundle and nothing else.
 */
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HarnessError } from '../base/errors.ts';
import { freePorts } from '../base/ports.ts';
import { FAULTS } from '../chaos/faults/index.ts';
import type { Guardrails } from '../chaos/guardrails/file.ts';
import { allow, frozen, GuardrailError } from '../chaos/guardrails/guard.ts';
import type { Right } from '../chaos/rights.ts';
import { UndoLog, undoAll } from '../chaos/undo/log.ts';
import { RUN_MARK } from '../chaos/undo/marked.ts';
import { leftover, takeForced } from '../chaos/undo/operations.ts';
import { type Reaper, startReaper } from '../chaos/undo/reaper.ts';
import type { JournalFact } from '../evidence/journal.ts';
import type { Plan } from '../evidence/plan.ts';
import { FILES } from '../evidence/tables.ts';
import type { Scenario } from '../scenarios/schema.ts';
import type { Tap } from '../targets/tap.ts';
import type { ComponentEvent, RunningTarget, Target } from '../targets/target.ts';
import { watchAborts } from './abort.ts';
import { RunClock } from './clock.ts';
import { collectEvidence } from './collect/index.ts';
import { Patience } from './collect/patience.ts';
import { PrometheusClient } from './collect/prometheus.ts';
import type { NamedQueries } from './collect/series.ts';
import type { EvidenceSources } from './collect/sources.ts';
import { conduct } from './conductor.ts';
import { FaultLife } from './fault-life.ts';
import { Journal, type JournalListener } from './journal.ts';
import type { LiveLoad } from './load/live-tail.ts';
import { startLoadInPods } from './load/pod-load.ts';
import { type LoadHandle, startLoad } from './load/start.ts';
import { type Observers, startObservers } from './observers.ts';
import { makeWorkDirectory, type RunDirectories } from './run-directories.ts';
import { settle } from './settle.ts';
import { deployFunctions, placeSources } from './setup.ts';
import { StoppedError, type StopReason, StopSignal } from './stop.ts';
import { type AlertReceiver, startAlertReceiver } from './webhook.ts';

export interface RunRequest {
  plan: Plan;
  scenario: Scenario;
  target: Target;
  directories: RunDirectories;
  /** Prometheus rule file of this run. */
  rules: string;
  queries: NamedQueries;
  k6Path: string;
  sources: EvidenceSources;
  /** Where the reference platform sends its spans, OTLP over HTTP. */
  spans?: string;
  guardrails: Guardrails;
  /** What its faults must be allowed to do in a cluster. */
  rights: Right[];
  onEntry: JournalListener;
  /** Called about once a second while load is going. */
  onLive(live: LiveLoad, firing: string[]): void;
}

/** Clocks that are further apart put samples into other phases than those that they tell of. */
const SKEW_MS = 250;
/** How soon a freeze is noticed. */
const FREEZE_EVERY_MS = 500;

export class Run {
  private readonly request: RunRequest;
  private readonly stopSignal = new StopSignal();
  private readonly clock = new RunClock();
  private readonly journal: Journal;
  /** Set when a freeze stopped this run: others shall not follow it, although what froze it may be gone with its namespace. */
  frozenBecause: string | undefined;
  /** Set while the target is up. */
  private running: RunningTarget | undefined;
  /** Made in `execute`, when the reaper watches. */
  private undo!: UndoLog;

  constructor(request: RunRequest) {
    this.request = request;
    const { directories, plan } = request;
    writeFileSync(join(directories.bundle, FILES.plan), `${JSON.stringify(plan, null, 1)}\n`);
    this.journal = new Journal(join(directories.bundle, FILES.journal));
    this.journal.listen(request.onEntry);
    this.journal.onFailure = (error) =>
      this.stopSignal.stop({
        outcome: 'aborted',
        reason: `the journal can not be written: ${error.message}`,
        blame: 'harness',
      });
  }

  /** Stops the run in order: load ended, faults reverted, evidence collected. */
  interrupt(): void {
    this.stopSignal.stop({ outcome: 'interrupted', reason: 'interrupted by the user' });
  }

  /** Carries out every undo at once, evidence or not. @returns what could not be undone */
  undoNow(): Promise<string[]> {
    return undoAll(this.request.directories.work);
  }

  /** Resolves when the bundle is complete and nothing of the run is left; the judge takes over. @throws HarnessError when not even the journal could be written. */
  async execute(): Promise<void> {
    const { directories, plan } = this.request;
    const processes = { op: 'kill-marked', run: plan.run.id } as const;
    let reaper: Reaper | undefined;
    let crash: Error | undefined;
    const freeze = setInterval(() => this.stopWhenFrozen(), FREEZE_EVERY_MS);
    try {
      this.stopWhenFrozen();
      this.stopSignal.throwIfStopped();
      reaper = await startReaper(directories.work, plan.run.id, join(directories.logs, 'reaper.log'));
      // What the harness calls (kubectl, docker) is of the run as well: one that is still at it when the harness is killed would act
      // after its undo. The reaper has been started, and is not.
      process.env[RUN_MARK] = plan.run.id;
      makeWorkDirectory(directories.work);
      this.undo = new UndoLog(directories.work);
      // Undone in the reverse order: processes first, then the directory that they use.
      this.undo.record('make the work directory', { op: 'remove-directory', path: directories.work });
      this.undo.record('start processes', processes);
      await this.withTarget();
    } catch (error) {
      if (!(error instanceof StoppedError)) crash = error as Error;
    }
    clearInterval(freeze);
    delete process.env[RUN_MARK];
    const failures = await undoAll(directories.work);
    for (const said of takeForced()) this.journal.write({ type: 'undo.forced', said });
    const leaks = [...failures, ...leftover(processes)];
    this.journal.write({ type: 'audit', clean: leaks.length === 0, leaks });
    const stopped = this.stopSignal.reason;
    if (crash)
      this.journal.write({
        type: 'run.ended',
        outcome: 'crashed',
        reason: describe(crash),
        blame: 'harness',
      });
    else
      this.journal.write({
        type: 'run.ended',
        outcome: stopped?.outcome ?? 'completed',
        ...(stopped ? { reason: stopped.reason, ...(stopped.blame ? { blame: stopped.blame } : {}) } : {}),
      });
    this.journal.close();
    this.undo?.close();
    // A cluster that gives no answer now may give one later: the reaper goes on, also when this process has ended.
    if (failures.length > 0) reaper?.abandon();
    else await reaper?.release();
    if (this.journal.failure) {
      throw new HarnessError(
        `the journal can not be written: ${this.journal.failure.message}; everything was undone, but this bundle is incomplete: free some space and run again`,
      );
    }
  }

  private async withTarget(): Promise<void> {
    const { plan, target, directories, rules } = this.request;
    const receiver = await startAlertReceiver(await target.hostAddress());
    let running: RunningTarget | undefined;
    try {
      const began = performance.now();
      running = await target.up({
        runId: plan.run.id,
        workDirectory: directories.work,
        logDirectory: directories.logs,
        timeScale: plan.run.timeScale,
        defects: plan.run.defects,
        rules,
        scrapeMs: plan.scrapeMs,
        evaluationMs: plan.evaluationMs,
        webhookUrl: receiver.url,
        longestRecoveryMs: Math.max(0, ...plan.recovery.map((r) => r.rtoMs)),
        rights: this.request.rights,
        ...(this.request.spans === undefined ? {} : { spans: this.request.spans }),
        undo: this.undo,
        signal: this.stopSignal.signal,
        onEvent: (event) => {
          if (event.type === 'lost')
            this.abort(
              { outcome: 'aborted', reason: `${event.component} ${event.reason}`, blame: event.blame },
              event.component,
            );
          else this.journal.write(factOf(event));
        },
      });
      this.running = running;
      this.stopSignal.throwIfStopped();
      this.journal.write({
        type: 'target.up',
        seconds: (performance.now() - began) / 1000,
        components: running.components,
      });
      await this.withPlatform(running, receiver);
    } finally {
      const began = performance.now();
      this.running = undefined;
      await running?.down();
      await receiver.close();
      this.journal.write({ type: 'target.down', seconds: (performance.now() - began) / 1000 });
    }
  }

  private async withPlatform(running: RunningTarget, receiver: AlertReceiver): Promise<void> {
    const { plan, scenario, target } = this.request;
    const prometheus = new PrometheusClient(running.endpoints.prometheus);
    const skewMs = await prometheus.skewMs();
    if (!(Math.abs(skewMs) <= SKEW_MS))
      throw new HarnessError(
        `the clock of Prometheus differs from this host's by ${Math.round(skewMs)} ms, ${SKEW_MS} may be: is the time of both kept?`,
      );
    const tap = await running.front.tap();
    try {
      const functions = await deployFunctions(
        scenario.spec.functions,
        running.front,
        plan.run.id,
        target.patience,
        this.stopSignal.signal,
      );
      await placeSources(plan.streams, running.drivers.objects);
      this.stopSignal.throwIfStopped();
      await settle(
        prometheus,
        {
          ...{ scrapeMs: plan.scrapeMs, evaluationMs: plan.evaluationMs, withinMs: target.patience.quietMs },
          falseAlarms: plan.alerts.filter((a) => a.anytime).map((a) => a.alert),
        },
        this.stopSignal,
      );
      this.stopSignal.throwIfStopped();
      const load = await this.startLoad(running);
      try {
        await this.timeline(running, load, receiver, tap, functions, prometheus);
      } finally {
        await load.stop();
      }
    } finally {
      await tap.close();
    }
  }

  private async startLoad(running: RunningTarget): Promise<LoadHandle> {
    const { plan, directories, k6Path } = this.request;
    const [apiPort] = await freePorts(1);
    const options = {
      ...{ k6Path, run: plan.run, streams: plan.streams, apiPort },
      scriptPath: fileURLToPath(new URL('../scenarios/k6/main.ts', import.meta.url)),
      endpoints: running.front.load,
      workDir: join(directories.work, 'k6'),
    };
    if (plan.load.pods === undefined) return startLoad({ ...options, env: { [RUN_MARK]: plan.run.id } });
    if (running.loadPods === undefined)
      throw new HarnessError(`target ${plan.target.name} has no pods for the load, which the plan has`);
    return startLoadInPods({ ...options, pods: await running.loadPods(plan.load.pods) });
  }

  private async timeline(
    running: RunningTarget,
    load: LoadHandle,
    receiver: AlertReceiver,
    tap: Tap,
    functions: string[],
    prometheus: PrometheusClient,
  ): Promise<void> {
    const { plan, scenario, directories, queries } = this.request;
    const faults = plan.faults.map((planned) => {
      const kind = FAULTS.get(planned.kind);
      if (!kind) throw new HarnessError(`the plan has a fault of unknown kind ${planned.kind}`);
      return new FaultLife(
        planned,
        kind.arm(planned.name, planned.params, running.drivers),
        this.journal,
        this.undo,
        {
          guard: (impact) => {
            // Between two looks somebody may have frozen everything.
            this.stopWhenFrozen();
            if (this.frozenBecause !== undefined)
              throw new GuardrailError([`frozen: ${this.frozenBecause}`], this.request.guardrails.file);
            allow(this.request.guardrails, running.ownNamespaces, impact);
          },
          onRefused: (why) => this.abort({ outcome: 'aborted', reason: why, blame: 'evidence' }, 'guardrail'),
        },
      );
    });
    for (const fault of faults) await fault.rehearse();
    // Its counters are as old as Prometheus: what they say by now is no part of the run.
    const evaluatedBefore = await new Patience().ask(() => prometheus.groupEvaluations());
    this.clock.setOrigin((await load.begin()) / 1000);
    this.journal.write({ type: 'run.started' }, performance.now() - this.clock.now());
    for (const stream of plan.streams) this.journal.write({ type: 'load.started', stream: stream.name });
    using observers: Observers = startObservers({
      target: running,
      clock: this.clock,
      journal: this.journal,
      generatorCpu: load.cpuSeconds,
      functions,
    });
    const watch = watchAborts({
      plan,
      conditions: scenario.spec.abort,
      load,
      clock: this.clock,
      abort: (reason) => this.abort(reason, 'abort condition'),
      onLive: (live) => void this.showLive(live, prometheus),
    });
    void load.done.then(({ exitCode, detail }) => {
      const early = this.clock.now() < (plan.phases.at(-1)?.endMs ?? 0) - 500;
      if (exitCode !== 0 && early && !this.stopSignal.stopped)
        this.abort(
          {
            outcome: 'aborted',
            reason: `the load generator ended with code ${exitCode}: ${detail}`,
            blame: 'evidence',
          },
          'load generator',
        );
    });
    // At once, while the faults are reverted: whoever stops a run must not wait for a probe until the load ends. Once: a second signal
    // would cut off k6's records.
    let stopping: Promise<void> | undefined;
    const stopLoad = () => {
      stopping ??= load.stop();
    };
    if (this.stopSignal.stopped) stopLoad();
    this.stopSignal.signal.addEventListener('abort', stopLoad, { once: true });
    try {
      await conduct(plan, faults, this.journal, this.clock, this.stopSignal);
    } finally {
      watch.stop();
    }
    await stopping;
    const ended = await load.done;
    for (const file of load.said)
      if (existsSync(file)) copyFileSync(file, join(directories.logs, basename(file)));
    for (const stream of plan.streams)
      this.journal.write({
        type: 'load.ended',
        stream: stream.name,
        exitCode: ended.exitCode,
        ...(ended.detail ? { detail: ended.detail } : {}),
      });
    await collectEvidence({
      plan,
      directories,
      load,
      tap,
      receiver,
      prometheus,
      evaluatedBefore,
      observers,
      queries,
      journal: this.journal,
      clock: this.clock,
      stop: this.stopSignal,
      registryUrl: running.endpoints.registry,
      alertmanagerUrl: running.endpoints.alertmanager,
      sources: this.request.sources,
    });
  }

  private async showLive(live: LiveLoad, prometheus: PrometheusClient): Promise<void> {
    // The view is a convenience: when Prometheus does not answer, the evidence says so, not the view.
    const firing = await prometheus.instant('ALERTS{alertstate="firing"}', Date.now()).catch(() => []);
    this.request.onLive(live, [...new Set(firing.map((f) => f.labels.alertname ?? '?'))]);
  }

  private stopWhenFrozen(): void {
    const why = frozen(this.request.guardrails) ?? this.running?.frozen?.();
    if (why === undefined || this.stopSignal.stopped) return;
    this.frozenBecause = why;
    this.abort({ outcome: 'aborted', reason: `frozen: ${why}`, blame: 'evidence' }, 'freeze');
  }

  private abort(reason: StopReason, condition: string): void {
    if (!this.stopSignal.stopped)
      this.journal.write({
        type: 'abort',
        condition,
        message: reason.reason,
        blame: reason.blame ?? 'harness',
      });
    this.stopSignal.stop(reason);
  }
}

function describe(error: Error): string {
  return error instanceof HarnessError
    ? error.message
    : `${error.name}: ${error.message}\n${error.stack?.split('\n').slice(1, 4).join('\n') ?? ''}`;
}

function factOf(event: Exclude<ComponentEvent, { type: 'lost' }>): JournalFact {
  switch (event.type) {
    case 'started':
      return { ...event, type: 'component.started' };
    case 'exited':
      return { ...event, type: 'component.exited' };
    case 'image':
      return { ...event, type: 'image.ran' };
    case 'unkept':
      return { type: 'evidence.missing', what: `${FILES.logs}/${event.file}`, reason: event.reason };
  }
}
