/** What one setting is, and how the text of a variable becomes a value: every parser says in words what it would have accepted. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { Secret } from '@drawbridge/core/secret'

export type SettingEntry<T> = {
  readonly name: string
  readonly description: string
  readonly example: string
  /** As it would be written in the environment; `undefined` means "not set", and the description says what that means. */
  readonly default: string | undefined
  readonly parse: (text: string | undefined) => Result<T, string>
}

/** One entry for each setting of an area: a setting without its line does not compile. */
export type SettingEntries<Settings> = { readonly [K in keyof Settings]: SettingEntry<Settings[K]> }

export const required =
  <T>(parse: (text: string) => Result<T, string>) =>
  (text: string | undefined): Result<T, string> =>
    text === undefined ? err('is missing') : parse(text)
export const optional =
  <T>(parse: (text: string) => Result<T, string>) =>
  (text: string | undefined): Result<T | undefined, string> =>
    text === undefined ? ok(undefined) : parse(text)

export const flag = (text: string): Result<boolean, string> =>
  text === 'true' || text === 'false' ? ok(text === 'true') : err('must be true or false')
export const whole =
  (from: number, to: number) =>
  (text: string): Result<number, string> =>
    /^\d{1,9}$/.test(text) && Number(text) >= from && Number(text) <= to
      ? ok(Number(text))
      : err(`must be a whole number from ${from} to ${to}`)
export const port = whole(0, 65_535)
/** As Node names headers: in small letters. RFC 9110 §5.6.2 */
export const headerName = (text: string): Result<string, string> =>
  /^[a-z0-9-]{1,64}$/i.test(text) ? ok(text.toLowerCase()) : err('must be the name of a header: letters, digits and hyphens')
export const plain = (text: string): Result<string, string> => ok(text)
export const oneOf =
  <T extends string>(choices: readonly T[]) =>
  (text: string): Result<T, string> => {
    const found = choices.find((choice) => choice === text)
    return found === undefined ? err(`must be one of ${choices.join(', ')}`) : ok(found)
  }
export const secretOf =
  (leastCharacters: number) =>
  (text: string): Result<Secret, string> =>
    text.length >= leastCharacters ? ok(new Secret(text)) : err(`must have at least ${leastCharacters} characters`)
/** Separated by commas, none of them shorter. */
export const secretList =
  (leastCharacters: number) =>
  (text: string): Result<readonly Secret[], string> => {
    const items = listed(text)
    return items.every(({ length }) => length >= leastCharacters)
      ? ok(items.map((item) => new Secret(item)))
      : err(`must hold secrets of at least ${leastCharacters} characters each, separated by commas`)
  }
export const secretUrl =
  (...protocols: readonly string[]) =>
  (text: string): Result<Secret, string> =>
    URL.canParse(text) && protocols.includes(new URL(text).protocol)
      ? ok(new Secret(text))
      : err(`must be a URL that begins with ${protocols.join('// or ')}//`)

/** An origin and nothing more: the issuer's path is ours to add. */
export function origin(text: string): Result<string, string> {
  if (!URL.canParse(text)) return err('must be a URL')
  const url = new URL(text)
  if (!['http:', 'https:'].includes(url.protocol)) return err('must begin with https:// (or http:// on loopback)')
  return url.origin === text ? ok(text) : err(`must be an origin without path, query or trailing slash, such as ${url.origin}`)
}

/** As it stands in a host: lower case, without port or trailing dot. */
export const domain = (text: string): Result<string, string> =>
  /^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(text) ? ok(text) : err('must be a domain in lower case, such as example.com')

export function origins(text: string): Result<readonly string[], string> {
  const list = listed(text)
  const bad = list.find((item) => !origin(item).ok)
  return bad === undefined ? ok(list) : err(`holds ${bad}, which is no origin`)
}

/** The items of a comma-separated list. */
export const listed = (text: string): readonly string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
