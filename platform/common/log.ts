/** JSON logs on stdout, one object a line: ts (ISO 8601, ms), level, component, msg, and trace_id, event_id where known. */

export type Level = 'debug' | 'info' | 'warn' | 'error';
const ORDER: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };
export type Fields = Record<string, unknown>;

export interface Logger {
  debug(msg: string, fields?: Fields): void;
  info(msg: string, fields?: Fields): void;
  warn(msg: string, fields?: Fields): void;
  error(msg: string, fields?: Fields): void;
}

export function createLogger(
  component: string,
  least: Level,
  write: (line: string) => void = (line) => process.stdout.write(line),
): Logger {
  const at =
    (level: Level) =>
    (msg: string, fields: Fields = {}) => {
      if (ORDER[level] < ORDER[least]) return;
      write(`${JSON.stringify({ ts: new Date().toISOString(), level, component, msg, ...fields })}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
}
