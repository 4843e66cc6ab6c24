/** RFC 3339 UTC with seconds, as Kubernetes writes `Time`. */
export function timeText(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}
