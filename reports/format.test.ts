import { describe, expect, it } from 'vitest';
import { duration, escapeHtml, escapeXml, exact, jsonForScript, number, oneLine } from './format.ts';
import { escapeMarkdown } from './markdown.ts';

describe('numbers for reading', () => {
  it.each([
    [null, '–'],
    [Number.NaN, '–'],
    [0, '0'],
    [1234567, '1\u202f234\u202f567'],
    [0.123456, '0.1235'],
    [12345.6, '12\u202f346'],
    [Infinity, '∞'],
    [-0.5, '-0.5'],
  ])('%s is %s', (value, text) => expect(number(value)).toBe(text));

  it.each([
    [null, '–'],
    [0, '0 ms'],
    [0.42, '0.42 ms'],
    [340.4, '340 ms'],
    [9050, '9.05 s'],
    [12_440, '12.4 s'],
    [245_000, '4 min 5 s'],
    [3_720_000, '1 h 2 min'],
    [-2500, '-2.5 s'],
  ])('%s ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

  it('shows no value as equal to a bound that it is not equal to', () => {
    expect(exact(0.99995, 'ratio')).toBe('99.995 %');
    expect(exact(0.9999, 'ratio')).toBe('99.99 %');
    expect(exact(90.0004, 's')).toBe('90.0004 s');
    expect(exact(90, 's')).toBe('90 s');
  });
});

describe('escaping', () => {
  it('leaves no markup in HTML', () =>
    expect(escapeHtml(`<a href="x" title='y'>&`)).toBe(
      '&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;',
    ));

  it('keeps a script element shut', () => {
    const value = { a: '</script><!--', b: '\u2028\u2029' };
    const text = jsonForScript(value);
    expect(text).not.toMatch(/[<\u2028\u2029]/);
    expect(JSON.parse(text)).toEqual(value);
  });

  it('writes out what XML 1.0 cannot hold, and keeps what it can', () => {
    expect(escapeXml('a\u0000\u001b[31m\ud800\uffff')).toBe('a\\u0000\\u001b[31m\\ud800\\uffff');
    expect(escapeXml('tab\tline\n😀')).toBe('tab\tline\n😀');
    expect(escapeXml('\r')).toBe('&#13;');
  });

  it('makes one line without control characters', () =>
    expect(oneLine('a\u001b[2J\nb\u202ec')).toBe('a [2J b c'));

  it('leaves no live Markdown', () => {
    const text = escapeMarkdown('a|b <img src=x> [x](http://e) @user `c` **d**\n# e');
    expect(text).not.toMatch(/(?<!\\)[|[\]`*#<]|\n|@u|:\/\//);
  });
});
