/**
 * The frame of every page that a person sees: calm, readable on a phone and by keyboard, without JavaScript. One page has a script,
 * because only a script can read a fragment; it works without, too.
 *
 * The one style sheet is inline and allowed by its hash, so the policy needs no `unsafe-inline` and no second request.
 */
import { createHash } from 'node:crypto'
import { type Html, html, renderHtml } from './html.js'

const style = `
:root{color-scheme:light dark;--ink:#1d2433;--soft:#5a6478;--paper:#fff;--ground:#f3f5f9;--line:#d9dee8;--main:#1f5fbf;--on-main:#fff;--warn:#8a4b00;--warn-ground:#fff4e0}
@media (prefers-color-scheme:dark){:root{--ink:#e8ebf2;--soft:#a5aec0;--paper:#1b2130;--ground:#11151f;--line:#333c50;--main:#8db8ff;--on-main:#0c1524;--warn:#ffce85;--warn-ground:#33270f}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:100%;max-width:30rem;margin:auto;padding:2rem 1.75rem;background:var(--paper);border:1px solid var(--line);border-radius:14px}
h1{margin:0 0 .75rem;font-size:1.35rem;line-height:1.3}
h2{margin:1.5rem 0 .5rem;font-size:1rem}
h3{margin:1rem 0 .25rem;font-size:.9rem}
p{margin:.5rem 0;overflow-wrap:anywhere}
a{color:var(--main)}
ul{margin:.75rem 0;padding:0;list-style:none}
li{padding:.6rem 0;border-top:1px solid var(--line)}
li:first-child{border-top:0}
dl{margin:1rem 0;display:grid;grid-template-columns:auto 1fr;gap:.35rem 1rem}
dl.stacked{grid-template-columns:1fr;gap:.1rem}
dl.stacked dd{margin-bottom:.5rem}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
code{font-size:.9em;overflow-wrap:anywhere}
label{display:block;margin:1rem 0 .25rem}
input[type=text],input[type=email],input[type=url],input[type=password],input[type=file],select,textarea{width:100%;padding:.65rem .75rem;font:inherit;color:inherit;background:var(--ground);border:1px solid var(--soft);border-radius:8px}
button{width:100%;margin-top:.75rem;padding:.75rem 1rem;min-height:2.75rem;font:inherit;font-weight:600;color:var(--on-main);background:var(--main);border:1px solid var(--main);border-radius:8px;cursor:pointer}
button.quiet{color:var(--ink);background:transparent;border-color:var(--soft);font-weight:400}
svg.qr{display:block;width:100%;max-width:15rem;height:auto;margin:.75rem auto;forced-color-adjust:none}
img.logo{display:block;width:4rem;height:4rem;object-fit:contain;margin:0 0 .75rem}
summary{padding:.75rem 0;cursor:pointer}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}
.soft,footer{color:var(--soft);font-size:.875rem}
.tier{display:inline-block;padding:.05rem .5rem;font-size:.8rem;border:1px solid var(--soft);border-radius:99px}
.tier.sensitive,.tier.admin,.notice{color:var(--warn);background:var(--warn-ground);border-color:currentColor}
.notice{margin:0;padding:.6rem 1rem;width:100%;text-align:center;font-size:.875rem}
footer{padding:1rem}
@media (max-width:34rem){main{border-radius:0;border-width:1px 0;padding:1.5rem 1.25rem}}
`

const styleHash = createHash('sha256').update(style).digest('base64')
// Spliced, not passed as a hole: the sheet is ours and must not be escaped.
const styleElement = html(Object.assign([`<style>${style}</style>`], { raw: [''] }) as unknown as TemplateStringsArray)

/** The one script of a page that cannot do without: text of ours, known when the program starts. */
export type PageScript = { readonly element: Html; readonly hash: string }

export const pageScript = (text: string): PageScript => ({
  element: html(Object.assign([`<script>${text}</script>`], { raw: [''] }) as unknown as TemplateStringsArray),
  hash: createHash('sha256').update(text).digest('base64'),
})

export type PageFrame = {
  readonly title: string
  readonly body: Html
  readonly requestId: string
  /** Of ours, and allowed by its hash alone. */
  readonly script?: PageScript | undefined
  /** What kind of installation this is, where it must be announced. */
  readonly notice?: string | undefined
}

export const renderPage = (frame: PageFrame): string =>
  renderHtml(html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex"><title>${frame.title}</title>${styleElement}</head>
<body>${frame.notice !== undefined && html`<p class="notice" role="note">${frame.notice}</p>`}<main><h1>${frame.title}</h1>${frame.body}</main><footer>Request <code>${frame.requestId}</code></footer>${frame.script?.element}</body>
</html>`)

type PagePolicy = {
  readonly script?: PageScript | undefined
  readonly self?: readonly string[] | undefined
  readonly hasPictures?: boolean | undefined
}

/**
 * The policy of a page. `formTargets` are the origins that a form of this page may lead to, redirects included: browsers check
 * each hop, so a consent page must name the client's redirect host. Pictures come from here or not at all.
 */
export function contentSecurityPolicy(formTargets: readonly string[], { script, self = ["'self'"], hasPictures }: PagePolicy = {}): string {
  const targets = [...self, ...formTargets.filter((target) => safeSource.test(target))].join(' ') || "'none'"
  const scripts = script === undefined ? '' : ` script-src 'sha256-${script.hash}';`
  const pictures = hasPictures === true ? " img-src 'self';" : ''
  return `default-src 'none'; style-src 'sha256-${styleHash}';${scripts}${pictures} form-action ${targets}; frame-ancestors 'none'; base-uri 'none'`
}

/** An origin or a scheme; anything that could end the directive is left out. */
const safeSource = /^[a-z][a-z0-9+.-]*:(\/\/(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?)?$/
