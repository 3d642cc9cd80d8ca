/** HTML that is escaped by construction: a template's holes take text, and only `html` itself makes `Html`. */
const made: unique symbol = Symbol('made by html')

/** Text that may stand in a page as it is. */
export type Html = { readonly [made]: string }
type Hole = string | number | Html | undefined | false | readonly (Html | string | undefined | false)[]

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] as string)

/** Attributes must be quoted in the template: the escaping is right for text and quoted attributes, nowhere else. */
export function html(parts: TemplateStringsArray, ...holes: readonly Hole[]): Html {
  let text = parts[0] as string
  holes.forEach((hole, index) => {
    text += fill(hole) + (parts[index + 1] as string)
  })
  return { [made]: text }
}

function fill(hole: Hole): string {
  if (hole === undefined || hole === false) return ''
  if (Array.isArray(hole)) return hole.map((item: Hole) => fill(item)).join('')
  return typeof hole === 'object' ? (hole as Html)[made] : escapeHtml(String(hole))
}

export const renderHtml = (value: Html): string => value[made]
