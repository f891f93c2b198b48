/** How k6 is called: told to do nothing but send and record. */

export interface K6Call {
  script: string;
  /** k6's JSON configuration; none: the script is an archive, which has it. */
  options?: string;
  /** File for k6's errors. */
  log: string;
  /** Port on 127.0.0.1 of its REST API. */
  apiPort: number;
  /** What the scripts find in __ENV. */
  env: Record<string, string>;
  /** Where the records go; none: nothing is recorded. */
  rawFile?: string;
  /** This k6 does the share `index` of `of` equal ones. */
  shard?: { index: number; of: number };
}

export function k6Arguments(call: K6Call): string[] {
  return [
    ...[
      'run',
      '--quiet',
      '--no-usage-report',
      '--no-thresholds',
      '--no-setup',
      '--no-teardown',
      '--no-color',
    ],
    ...['--summary-mode', 'disabled', '--address', `127.0.0.1:${call.apiPort}`],
    ...(call.options === undefined ? [] : ['--config', call.options]),
    // k6 warns about every failed request; the records have those already.
    ...['--log-output', `file=${call.log},level=error`],
    // An output of ours: tools/k6/records.
    ...(call.rawFile === undefined ? [] : ['--out', `records5=${call.rawFile}`]),
    ...(call.shard === undefined ? [] : shardArguments(call.shard)),
    ...Object.entries(call.env).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
    call.script,
  ];
}

/** Source: k6's documentation, "execution segments". Of equal ones, each takes every `of`-th iteration. */
function shardArguments({ index, of }: { index: number; of: number }): string[] {
  const at = (i: number) => (i === 0 ? '0' : i === of ? '1' : `${i}/${of}`);
  return [
    `--execution-segment=${at(index)}:${at(index + 1)}`,
    `--execution-segment-sequence=${Array.from({ length: of + 1 }, (_, i) => at(i)).join(',')}`,
  ];
}

/**
 * All of k6's environment: nothing is inherited, so that no K6_* or proxy variable of the user changes a run.
 * @param heapMiB from so much memory on k6 collects its garbage as often as it must
 */
export function k6Environment(home: string, heapMiB = 2048): Record<string, string> {
  return {
    // k6 reads a configuration file there.
    HOME: home,
    // Of its timestamps.
    TZ: 'UTC',
    // k6 never looks for another k6.
    K6_AUTO_EXTENSION_RESOLUTION: 'false',
    // k6's heap is small and short-lived: collecting it less often saves a tenth of its CPU time and more.
    GOGC: '400',
    GOMEMLIMIT: `${heapMiB}MiB`,
  };
}
