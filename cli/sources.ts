/** Options of `run` that name the user's own stores of traces and logs: what they have of the run becomes part of its evidence. */
import type { Argv } from 'yargs';
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import { type EvidenceSources, HttpStore } from '../engine/collect/sources.ts';
import type { Profile } from '../targets/profile.ts';

export interface SourceOptions {
  traces: string | undefined;
  spans: string | undefined;
  loki: string | undefined;
  logql: string | undefined;
}

export function sourceOptions<T>(y: Argv<T>): Argv<T & SourceOptions> {
  return y
    .option('traces', {
      type: 'string',
      requiresArg: true,
      describe:
        'URL of a Jaeger query service or a Tempo, with user:password@ where it asks for one: traces of the failed and the slowest requests come into the bundle',
    })
    .option('spans', {
      type: 'string',
      requiresArg: true,
      describe: 'URL to which the reference platform sends its spans (OTLP over HTTP, as http://host:4318)',
    })
    .option('loki', {
      type: 'string',
      requiresArg: true,
      describe: "URL of a Loki, likewise: the run's logs come into the bundle",
    })
    .option('logql', {
      type: 'string',
      requiresArg: true,
      describe: "LogQL of these logs; default: the profile's",
    }) as unknown as Argv<T & SourceOptions>;
}

/** @throws RefusedError with all problems of these options */
export function checkSources(
  { traces, spans, loki, logql }: SourceOptions,
  { speaks, name, logs }: Profile,
): { sources: EvidenceSources; spans?: string } {
  const problems: Diagnostic[] = [];
  const complain = (file: string, message: string) => problems.push({ file, message });
  for (const [option, text] of Object.entries({ traces, spans, loki }))
    if (text !== undefined && !isHttp(text))
      complain(`--${option}`, `"${text}": expected a URL such as http://127.0.0.1:3200`);
    else if (text !== undefined && !hasReadableUser(text))
      // Without the text: it has a password.
      complain(`--${option}`, 'expected a URL with each % in user and password as %25');
  if (logql !== undefined && loki === undefined)
    complain('--logql', 'expected --loki beside it: who is to be asked?');
  if (spans !== undefined && speaks.by !== 'commands')
    complain(
      '--spans',
      `a platform of profile ${name} sends its spans where its own manifests say: expected no --spans`,
    );
  if (spans !== undefined && isHttp(spans) && userOf(spans) !== ':')
    complain(
      '--spans',
      'has a user: every pod of the platform would show it in its environment; expected none',
    );
  if (problems.length > 0) throw new RefusedError(problems);
  return {
    sources: {
      ...(traces === undefined ? {} : { traces: new HttpStore(traces) }),
      ...(loki === undefined ? {} : { loki: { store: new HttpStore(loki), query: logql ?? logs } }),
    },
    ...(spans === undefined ? {} : { spans: spans.replace(/\/+$/, '') }),
  };
}

const userOf = (text: string): string => {
  const { username, password } = new URL(text);
  return `${username}:${password}`;
};

function hasReadableUser(text: string): boolean {
  try {
    decodeURIComponent(userOf(text));
    return true;
  } catch {
    return false;
  }
}

function isHttp(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
