import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { html, renderHtml } from './html.js'
import { contentSecurityPolicy, renderPage } from './page.js'

test('whatever stands in a hole stays text', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const inside = renderHtml(html`<p title="${text}">${text}</p>`).slice(10, -4)
      return !inside.replace('">', '').match(/[<>"']/)
    }),
  )
  expect(renderHtml(html`<p>${'<script>'}${html`<b>${'&'}</b>`}${[html`<i>1</i>`, undefined, false]}</p>`)).toBe(
    '<p>&lt;script&gt;<b>&amp;</b><i>1</i></p>',
  )
})

test('an object from JSON cannot pose as markup', () => {
  const forged = JSON.parse('{"made by html":"<script>"}') as never
  expect(renderHtml(html`${forged}`)).not.toContain('<script>')
})

test('the policy allows exactly the style that the page has, and no script', () => {
  const page = renderPage({ title: 'A <b>', body: html`<p>x</p>`, requestId: 'r', notice: 'Laboratory' })
  const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] as string
  const policy = contentSecurityPolicy([])
  expect(policy).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`)
  expect(policy).toContain("default-src 'none'")
  expect(page).not.toContain('<script')
  expect(page).toContain('A &lt;b&gt;')
  expect(page).toContain('Laboratory')
})

test('a form target that could end the directive is left out', () => {
  expect(
    contentSecurityPolicy(['https://app.example', "x; script-src 'unsafe-inline'", 'com.example.app:', 'http://127.0.0.1:8080']),
  ).toContain("form-action 'self' https://app.example com.example.app: http://127.0.0.1:8080;")
})
