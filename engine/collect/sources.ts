/** What a run may be told of besides its target: stores that the user has already, for traces and logs. */
export interface EvidenceSources {
  /** Base URL of a Jaeger query service or a Tempo. */
  traces?: string;
  loki?: { url: string /** LogQL */; query: string };
}
