/** The module that tools/k6 builds into k6. */
declare module 'k6/x/faultline' {
  export type Outcome = 'ok' | 'failed' | 'timeout';

  /** The request of this iteration begins now. @returns its number within the k6 scenario, from 0 */
  export function begin(): number;

  /**
   * It has ended now; leaves its record. Status 0: there was no answer.
   * @param errorCode k6's, of a request without an answer; left out of all others: an argument costs time
   */
  export function end(status: number, outcome: Outcome, cold: boolean, errorCode?: number): void;
}
