import { expect, it } from 'vitest';
import { whyUnanswered } from './error-codes.ts';

it.each([
  [1212, 'connection refused'],
  [1220, 'connection reset by the other side'],
  [1050, 'timeout'],
  [1211, 'timeout while connecting'],
  [1101, 'DNS: no such host'],
  [1100, 'DNS: name not resolved'],
  // k6 has the range for codes of HTTP/2 itself: 1630 + 1 + 7 is a stream that was refused.
  [1638, 'HTTP/2: stream error'],
  // Codes that k6 may get later are told by their family.
  [1219, 'error while connecting'],
  [1299, 'TCP error'],
  [1390, 'TLS error'],
  [1999, 'error 1999 of k6'],
])('says of %s: %s', (code, words) => expect(whyUnanswered(code, true)).toBe(words));

it('tells a request that was cut off from one of which only the reason is missing', () => {
  expect(whyUnanswered(null, false)).toBe('still under way when the load generator was stopped');
  expect(whyUnanswered(null, true)).toBe('reason not recorded');
});
