/** How often the cluster's own metrics (kube-state-metrics, cAdvisor) are scraped, ms: half a megabyte a node is too much at the platform's rhythm. */
export const expensiveScrapeMs = (timeScale: number): number => Math.max(15_000 / timeScale, 5000);
