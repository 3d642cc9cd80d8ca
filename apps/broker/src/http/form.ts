/** Query and form parameters: each at most once, UTF-8, within limits. A repeated one is refused, not guessed at: RFC 6749 §3.1. */
import { err, ok, type Result } from '@drawbridge/core/result'

/** Own properties only, without a prototype: `__proto__` is a parameter like any other. */
export type SingleValuedForm = Readonly<Record<string, string>>
export type FormRefusal = {
  readonly reason: 'parameter_repeated' | 'parameter_malformed' | 'parameters_too_many' | 'form_absent'
  readonly parameter?: string
  /** Of a query that repeats: what it holds exactly once. Who answers to a redirect URI needs it; nobody else reads it. */
  readonly once?: SingleValuedForm
}

/** The longest body that is sent on as a query: all of it goes into an address of ours, which node:http reads up to 16 KB of, headers included. */
export const mostPostedBytes = 14_336

export const formLimits = { parameters: 64, nameLength: 256 } as const
export const emptyForm: SingleValuedForm = Object.freeze(Object.create(null) as Record<string, string>)

export function parseForm(text: string): Result<SingleValuedForm, FormRefusal> {
  const form = Object.create(null) as Record<string, string>
  if (text === '') return ok(form)
  const repeated: string[] = []
  const pairs = text.split('&')
  if (pairs.length > formLimits.parameters) return err({ reason: 'parameters_too_many' })
  for (const pair of pairs) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    const name = decode(at < 0 ? pair : pair.slice(0, at))
    const value = decode(at < 0 ? '' : pair.slice(at + 1))
    if (name === undefined || name.length > formLimits.nameLength) return err({ reason: 'parameter_malformed' })
    if (value === undefined) return err({ reason: 'parameter_malformed', parameter: name })
    if (name in form) repeated.push(name)
    form[name] = value
  }
  const [parameter] = repeated
  if (parameter === undefined) return ok(form)
  for (const name of repeated) delete form[name]
  return err({ reason: 'parameter_repeated', parameter, once: form })
}

/**
 * "Parameters sent without a value MUST be treated as if they were omitted": a library sends `client_secret=` for a client that has none.
 *
 * @spec RFC 6749 §3.1, §3.2
 */
export function withoutEmpty(parsed: Result<SingleValuedForm, FormRefusal>): Result<SingleValuedForm, FormRefusal> {
  if (parsed.ok) return ok(filledOf(parsed.value))
  const { once } = parsed.error
  return once === undefined ? parsed : err({ ...parsed.error, once: filledOf(once) })
}

function filledOf(form: SingleValuedForm): SingleValuedForm {
  const entries = Object.entries(form)
  if (!entries.some(([, value]) => value === '')) return form
  const filled = Object.create(null) as Record<string, string>
  for (const [name, value] of entries) if (value !== '') filled[name] = value
  return filled
}

/** NUL is refused because PostgreSQL stores none; nothing honest sends it. */
function decode(text: string): string | undefined {
  try {
    const value = decodeURIComponent(text.replaceAll('+', ' '))
    return value.includes('\0') ? undefined : value
  } catch {
    return undefined
  }
}
