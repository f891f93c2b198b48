/** The builder's metrics, and the one place where a finished build is counted. */
import { Counter, Gauge, Histogram } from 'prom-client';
import { BUILD_BUCKETS, commonMetrics, OPERATOR_BUILD_BUCKETS, WAIT_BUCKETS } from '../common/metrics.ts';

export interface FinishedBuild {
  runtime: string;
  failed: boolean;
  /** From the command's receipt to its outcome. */
  seconds: number;
}

export function builderMetrics(namespace: string, ready: () => boolean, lie: boolean) {
  const { registry, errors } = commonMetrics('builder', ready, [
    'registry_retry',
    'build_failed',
    'malformed',
    'publish',
  ]);
  const registers = [registry];
  const jobsActive = new Gauge({
    name: 'knative_lambda_operator_build_jobs_active',
    help: 'Build jobs that run',
    labelNames: ['namespace'],
    registers,
  });
  const jobsRunning = new Gauge({ name: 'kaniko_jobs_running', help: 'Build jobs that run', registers });
  const buildEvents = new Counter({
    name: 'knative_lambda_operator_build_events_total',
    help: 'Builds started, complete, failed',
    labelNames: ['status'],
    registers,
  });
  for (const status of ['started', 'complete', 'failed']) buildEvents.inc({ status }, 0);
  const failures = new Counter({ name: 'build_failures_total', help: 'Builds that failed', registers });
  const operatorDuration = new Histogram({
    name: 'knative_lambda_operator_build_duration_seconds',
    help: 'From the build command to its outcome',
    labelNames: ['runtime', 'result'],
    buckets: OPERATOR_BUILD_BUCKETS,
    registers,
  });
  for (const result of ['success', 'failure']) operatorDuration.zero({ runtime: 'nodejs', result });
  const duration = new Histogram({
    name: 'build_duration_seconds',
    help: 'From the build command to its outcome, whatever it is',
    buckets: BUILD_BUCKETS,
    registers,
  });
  const jobDuration = new Histogram({
    name: 'kaniko_build_duration_seconds',
    help: 'Life of a build job process',
    buckets: BUILD_BUCKETS,
    registers,
  });
  const queueWait = new Histogram({
    name: 'knative_lambda_operator_build_queue_wait_seconds',
    help: 'From the publish of a build command to the start of its job',
    buckets: WAIT_BUCKETS,
    registers,
  });

  const jobs = (running: number) => {
    jobsActive.set({ namespace }, running);
    jobsRunning.set(running);
  };
  jobs(0);
  return {
    registry,
    jobs,
    queueWaited: (seconds: number) => queueWait.observe(Math.max(0, seconds)),
    started: () => buildEvents.inc({ status: 'started' }),
    jobEnded: (seconds: number) => jobDuration.observe(seconds),
    error: (error_type: string) => errors.inc({ component: 'builder', error_type }),
    finished(build: FinishedBuild) {
      const failed = build.failed && !lie;
      buildEvents.inc({ status: failed ? 'failed' : 'complete' });
      if (failed) {
        failures.inc();
        errors.inc({ component: 'builder', error_type: 'build_failed' });
      }
      operatorDuration.observe(
        { runtime: build.runtime, result: failed ? 'failure' : 'success' },
        build.seconds,
      );
      duration.observe(build.seconds);
    },
  };
}
export type BuilderMetrics = ReturnType<typeof builderMetrics>;
