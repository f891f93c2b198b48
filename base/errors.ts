/**
 * The few error classes of Faultline. Each carries the exit code that the CLI ends with and a message that says what
 * to do next. Exit codes: DESIGN.md, "Four verdicts".
 */

/** One finding about an input file: where it is, and what was expected there. */
export interface Diagnostic {
  /** Path of the file as the user gave it, or the name of the command-line option. */
  file: string;
  /** 1-based line, when the input has lines. */
  line?: number;
  /** Dotted path of the field, e.g. `spec.faults[0].kind`. */
  field?: string;
  /** What is wrong, and what was expected. */
  message: string;
}

export function formatDiagnostic(d: Diagnostic): string {
  const where = d.line === undefined ? d.file : `${d.file}:${d.line}`;
  return d.field ? `${where}: ${d.field}: ${d.message}` : `${where}: ${d.message}`;
}

/** A plan or a usage that is refused: exit 64, and nothing was started. Holds all problems at once. */
export class RefusedError extends Error {
  readonly exitCode = 64;
  readonly diagnostics: Diagnostic[];
  constructor(diagnostics: Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join('\n'));
    this.name = 'RefusedError';
    this.diagnostics = diagnostics;
  }
}

/** The harness itself failed (not the platform under test): verdict `error`, exit 3. */
export class HarnessError extends Error {
  readonly exitCode = 3;
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'HarnessError';
  }
}

/** Evidence that a judgement needs is not there: verdict `unknown`, exit 2. */
export class EvidenceError extends Error {
  readonly exitCode = 2;
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EvidenceError';
  }
}

/** Nobody answered, or only that it is too busy: asked again, it may be there after all. */
export class NoAnswerError extends EvidenceError {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'NoAnswerError';
  }
}
