/** Safe HTML: a template tag that escapes every value, and the frame that every page shares. */
import type { Company } from '../companies.js'

/** Text that may go into HTML as it stands; only `html` makes it. */
export type Html = { readonly markup: string }

type Value = string | number | Html | readonly Html[] | undefined | false

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  return { markup: strings.map((text, index) => text + render(values[index])).join('') }
}

function render(value: Value): string {
  if (value === undefined || value === false) return ''
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value))
  if ('markup' in value) return value.markup
  return value.map((one) => one.markup).join('')
}

const style = `
:root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1f2a37;--soft:#5b6675;--line:#dcd8cf;--accent:#1f5f8b;--on-accent:#fff;--warn:#8a4b08;--warn-paper:#fff3df}
@media (prefers-color-scheme:dark){:root{--paper:#14181d;--card:#1c2229;--ink:#e8ebef;--soft:#a4aebb;--line:#333c47;--accent:#7ebbe3;--on-accent:#0d1720;--warn:#f5c98a;--warn-paper:#33270f}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
.notice{background:var(--warn-paper);color:var(--warn);padding:.55rem 1.25rem;text-align:center;font-size:.92rem}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}h1{font-size:1.7rem;line-height:1.25;margin:.2rem 0 .4rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
p{margin:.4rem 0}.soft{color:var(--soft)}a{color:var(--accent)}nav{font-size:.95rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(16rem,1fr));gap:1rem;list-style:none;padding:0;margin:1rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:1rem 1.1rem;display:flex;flex-direction:column;gap:.35rem}
.card h3{margin:0;font-size:1.02rem}.card form{margin-top:auto;padding-top:.5rem}.card.armed{border-color:var(--warn);background:var(--warn-paper)}
.row{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}.row form,.card .row form{margin:0;padding:0}.small{font-size:.88rem}
button{font:inherit;padding:.45rem .9rem;border-radius:.5rem;border:1px solid var(--accent);background:var(--accent);color:var(--on-accent);cursor:pointer}
button.quiet{background:transparent;color:var(--accent)}button:focus-visible,a:focus-visible,select:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
select{font:inherit;padding:.4rem;border-radius:.5rem;border:1px solid var(--line);background:var(--card);color:var(--ink)}
.tag{display:inline-block;border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;font-size:.82rem;color:var(--soft)}
.told{border-left:4px solid var(--accent);background:var(--card);padding:.6rem 1rem;margin:1rem 0}code{font-size:.9em;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:var(--soft)}dd{margin:0}`

/** One page; says on each that this is a development tool. */
export function page(title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${title} · Company simulator</title><style>${{ markup: style }}</style></head>
<body><div class="notice" role="note">Development tool: a simulated company. Anyone here signs in as anyone, without a password.</div>
<main>${body}</main></body></html>`.markup
}

export function crumbs(company?: Company): Html {
  return html`<nav aria-label="Breadcrumb"><a href="/">Companies</a>${company !== undefined && html` / <a href="/${company.id}">${company.name}</a>`}</nav>`
}
