import { describe, expect, it } from 'vitest';
import { Html, html, plainText } from '../../src/reports/html-tag.ts';
import { hostileNames } from './hostile-names.ts';

describe('the html tag', () => {
  it.each([
    ['<b>', '&lt;b&gt;'],
    ['a & b', 'a &amp; b'],
    [`"'`, '&quot;&#39;'],
    ['a\u0000b', 'a<span class="code">U+0000</span>b'],
    ['\u202egpj', '<span class="code">U+202E</span>gpj'],
    ['\ud800', '<span class="code">U+D800</span>'],
    ['\u{e0041}', '<span class="code">U+E0041</span>'],
    ['\n', '<span class="code">U+000A</span>'],
  ])('shows %j as %s', (given, expected) => {
    expect(html`<p>${given}</p>`.text).toBe(`<p>${expected}</p>`);
  });

  it('leaves letters, accents and emoji alone', () => {
    expect(html`${'Ünïcödé 漢字 ✓ 🦉 עברית'}`.text).toBe('Ünïcödé 漢字 ✓ 🦉 עברית');
  });

  it('puts nothing but text into a tag: no markup of its own, no quote', () => {
    expect(html`<i title="${'"\u0000<'}" class=x>${'"'}</i>`.text).toBe('<i title="&quot;U+0000&lt;" class=x>&quot;</i>');
  });

  it('knows a tag that goes on behind what was put into it', () => {
    expect(html`<i a="${'\n'}" b="${'\n'}">${'\n'}</i>`.text).toBe('<i a="U+000A" b="U+000A"><span class="code">U+000A</span></i>');
  });

  it('takes markup only from itself, whatever a value looks like', () => {
    expect(html`${[html`<b>${'<'}</b>`, '<b>', 7, null]}`.text).toBe('<b>&lt;</b>&lt;b&gt;7');
    expect(html`${JSON.parse('"<script>"')}`.text).not.toContain('<script>');
    expect(new Html('<hr>').text).toBe('<hr>');
  });

  it.each(hostileNames.map((name) => [name]))('lets nothing through of %j', (name) => {
    const { text } = html`${name}`;
    const withoutCodes = text.replace(/<span class="code">U\+[0-9A-F]{4,6}<\/span>/g, '');
    expect(withoutCodes).not.toMatch(/[<>"'\p{C}\p{Zl}\p{Zp}]/u);
    expect(plainText(name)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  });
});
