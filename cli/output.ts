/** What becomes of standard output and standard error when their reader is gone, or slow. */
const STREAMS = [process.stdout, process.stderr];

/** How a stream says that its reader is gone: a pipe; a socket, as Node gives its children, with words that nobody read; a terminal. */
const READER_GONE = ['EPIPE', 'ECONNRESET', 'EIO'];

/**
 * `faultline ... | head` closes our output early, and loggers die: that is no reason to end a run, and changes no exit code.
 * What is said from then on is lost.
 */
export function outliveReaders(): void {
  for (const stream of STREAMS)
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!READER_GONE.includes(error.code ?? '')) throw error;
    });
}

/** Resolves when all that was said is written, or its reader gone: a pipe takes 64 KiB at once, and what waits ends with the process. */
export async function outputWritten(): Promise<void> {
  // Called after all that was written before; also with an error.
  await Promise.all(STREAMS.map((stream) => new Promise<void>((done) => stream.write('', () => done()))));
}
