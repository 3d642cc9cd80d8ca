/** Finds forms and text in the HTML of a page, well enough for pages made by a server: no layout, no scripts. */

export type FormControl = { readonly name: string; readonly value: string; readonly kind: 'field' | 'button'; readonly label: string }

export type HtmlForm = {
  readonly id: string | undefined
  readonly action: string
  readonly method: 'GET' | 'POST'
  readonly controls: readonly FormControl[]
  readonly text: string
}

const formPattern = /<form\b([^>]*)>([\s\S]*?)<\/form\s*>/gi
const controlPattern = /<(input|button|select|textarea)\b((?:"[^"]*"|'[^']*'|[^>"'])*)>(?:([\s\S]*?)<\/(button|select|textarea)\s*>)?/gi

export function parseForms(markup: string): readonly HtmlForm[] {
  return [...withoutInvisible(markup).matchAll(formPattern)].map(([, open = '', inner = '']) => {
    const attributes = parseAttributes(open)
    return {
      id: attributes.get('id'),
      action: attributes.get('action') ?? '',
      method: attributes.get('method')?.toLowerCase() === 'post' ? 'POST' : 'GET',
      controls: parseControls(inner),
      text: textOf(inner),
    }
  })
}

function parseControls(inner: string): readonly FormControl[] {
  const controls: FormControl[] = []
  // An <input> has no end tag, so its match may have swallowed what follows: the search goes on right behind the tag.
  const pattern = new RegExp(controlPattern)
  for (let match = pattern.exec(inner); match !== null; match = pattern.exec(inner)) {
    const [whole, tag = '', open = '', content = ''] = match
    const kind = tag.toLowerCase()
    if (kind === 'input') pattern.lastIndex = match.index + whole.indexOf(open) + open.length
    const control = toControl(kind, parseAttributes(open), content)
    if (control !== undefined) controls.push(control)
  }
  return controls
}

function toControl(kind: string, attributes: ReadonlyMap<string, string>, content: string): FormControl | undefined {
  const type = attributes.get('type')?.toLowerCase()
  const name = attributes.get('name') ?? ''
  if (attributes.has('disabled')) return undefined
  if (kind === 'button' || type === 'submit')
    return type === 'button' || type === 'reset'
      ? undefined
      : { name, value: attributes.get('value') ?? '', kind: 'button', label: textOf(content) }
  if ((type === 'checkbox' || type === 'radio') && !attributes.has('checked')) return undefined
  if (name === '') return undefined
  if (kind === 'select') return { name, value: selectedOption(content), kind: 'field', label: '' }
  const value = kind === 'textarea' ? decodeEntities(content) : (attributes.get('value') ?? (type === 'checkbox' ? 'on' : ''))
  return { name, value, kind: 'field', label: '' }
}

function selectedOption(content: string): string {
  const options = [...content.matchAll(/<option\b([^>]*)>([^<]*)/gi)].map(([, open = '', label = '']) => ({
    attributes: parseAttributes(open),
    label,
  }))
  const chosen = options.find((option) => option.attributes.has('selected')) ?? options[0]
  return chosen === undefined ? '' : (chosen.attributes.get('value') ?? decodeEntities(chosen.label.trim()))
}

function parseAttributes(open: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>()
  for (const [, name = '', double, single, bare] of open.matchAll(/([^\s=/"'<>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g))
    if (!attributes.has(name.toLowerCase())) attributes.set(name.toLowerCase(), decodeEntities(double ?? single ?? bare ?? ''))
  return attributes
}

/** What a person would read, with white space collapsed. */
export function textOf(markup: string): string {
  return decodeEntities(withoutInvisible(markup).replace(/<[^>]*>/g, ' '))
    .replace(/\s+/g, ' ')
    .trim()
}

function withoutInvisible(markup: string): string {
  return markup.replace(/<!--[\s\S]*?-->|<(script|style|head)\b[\s\S]*?<\/\1\s*>/gi, ' ')
}

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|([a-z]+));/gi, (whole: string, decimal?: string, hex?: string, name?: string) => {
    if (decimal !== undefined) return String.fromCodePoint(Math.min(Number(decimal), 0x10ffff))
    if (hex !== undefined) return String.fromCodePoint(Math.min(Number.parseInt(hex, 16), 0x10ffff))
    return named[name?.toLowerCase() ?? ''] ?? whole
  })
}
