/**
 * The filters by which directories look people up: `userName eq "x"`, `externalId eq "x"`, `id eq "x"`, joined by `and`.
 *
 * The rest of the grammar is refused with `invalidFilter`, never ignored: a filter that was ignored would hand out everybody.
 */
import { isKeepable } from '../keepable-text.js'
import { err, ok, type Result } from '../result.js'
import { type ScimError, scimLimits } from './error.js'
import { canonicalName, enterpriseUserSchema, userSchema } from './user.js'

export type UserFilter = { readonly attribute: 'userName' | 'externalId' | 'id'; readonly value: string }

/** Attribute, operator and value; the value may stand without quotes, as Entra's samples have it. */
const term = /^([A-Za-z][A-Za-z0-9:._$-]{0,200})\s+(eq)\s+("(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*"|[^\s"()[\]]+)$/i

/** @spec RFC 7644 §3.4.2.2 names and operators in any case */
export function parseUserFilter(text: string): Result<readonly UserFilter[], ScimError> {
  if (text.length > scimLimits.filterCharacters)
    return err({ reason: 'scim_filter_invalid', detail: 'longer than the limit filterCharacters' })
  const terms = splitOutsideQuotes(text.trim())
  if (terms.length > scimLimits.filterTerms) return err({ reason: 'scim_filter_invalid', detail: 'more than the limit filterTerms' })
  const filters: UserFilter[] = []
  for (const part of terms) {
    const match = term.exec(part)
    if (match === null) return err({ reason: 'scim_filter_invalid', detail: 'only eq joined by and is supported' })
    const attribute = searchable(match[1] ?? '')
    const value = unquoted(match[3] ?? '')
    if (attribute === undefined || value === undefined)
      return err({ reason: 'scim_filter_invalid', detail: 'only userName, externalId and id can be searched, by well-formed text' })
    filters.push({ attribute, value })
  }
  return ok(filters)
}

/** Splits at `and`, but not inside a quoted value. Walks the text once. */
function splitOutsideQuotes(text: string): readonly string[] {
  const parts: string[] = []
  let from = 0
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    if (quoted && text[at] === '\\') at += 1
    else if (text[at] === '"') quoted = !quoted
    else if (!quoted && /^\sand\s/i.test(text.slice(at, at + 5))) {
      parts.push(text.slice(from, at).trim())
      from = at + 5
      at += 3
    }
  }
  return [...parts, text.slice(from).trim()]
}

function searchable(name: string): UserFilter['attribute'] | undefined {
  const prefixes = [`${userSchema}:`, `${enterpriseUserSchema}:`]
  const prefix = prefixes.find((one) => name.toLowerCase().startsWith(one.toLowerCase()))
  const canonical = canonicalName(prefix === undefined ? name : name.slice(prefix.length))
  return canonical === 'userName' || canonical === 'externalId' || canonical === 'id' ? canonical : undefined
}

/** An escape can make text that nobody can have been stored under: NUL, half a character. */
function unquoted(literal: string): string | undefined {
  if (!literal.startsWith('"')) return literal
  try {
    const value: unknown = JSON.parse(literal)
    return typeof value === 'string' && isKeepable(value) ? value : undefined
  } catch {
    return undefined
  }
}
