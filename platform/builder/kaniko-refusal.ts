/** Why Kaniko's executor ended with an error, of what its container left as termination message. */

export interface Refusal {
  message: string;
  /** The registry took no more requests. */
  throttled: boolean;
}

/** Of a message; Kaniko's errors end with their cause. */
const LONGEST = 1000;

/**
 * Kaniko writes the digest of what it built before it pushes it (`--digest-file`), and a container that wrote one leaves no log besides:
 * a push that failed left nothing but the digest. Source: Kaniko 1.23.2, pkg/executor/push.go, `DoPush`.
 */
export function kanikoRefusal(left: string | undefined): Refusal {
  const line = (left ?? '').trim().split('\n').at(-1) ?? '';
  if (/^sha256:[0-9a-f]{64}$/.test(line))
    return { message: `${line} was built, and could not be pushed`, throttled: true };
  return { message: line.slice(-LONGEST), throttled: /\b429\b|TOOMANYREQUESTS/.test(line) };
}
