/** Which characters may stand where. Narrower than XML 1.0: names are ASCII, because every name that SAML and XML Signature define is. */
const nameStart = 1
const nameRest = 2
const space = 4

const classes = new Uint8Array(128)
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_') classes[character.charCodeAt(0)] = nameStart | nameRest
for (const character of '0123456789.-') classes[character.charCodeAt(0)] = nameRest
for (const character of ' \t\n\r') classes[character.charCodeAt(0)] = space

/** Past the end of a string `charCodeAt` is NaN, and beyond ASCII the table has nothing: both belong to no class. */
const isOf = (code: number, wanted: number): boolean => ((classes[code] ?? 0) & wanted) !== 0

export const startsName = (code: number): boolean => isOf(code, nameStart)
export const continuesName = (code: number): boolean => isOf(code, nameRest)
export const isSpace = (code: number): boolean => isOf(code, space)
export const isBlank = (text: string): boolean => !/[^ \t\n\r]/.test(text)

/** Quick: no surrogate, nothing outside of XML's `Char`. Messages almost never hold more than that. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const suspicious = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uD800-\uDFFF\uFFFE\uFFFF]/
// oxlint-disable-next-line no-control-regex -- as above; `u` makes a surrogate pair one character, and a lone one a surrogate
const forbidden = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uD800-\uDFFF\uFFFE\uFFFF]/u

/** @spec XML 1.0 §2.2 Char */
export const hasForbiddenCharacter = (text: string): boolean => suspicious.test(text) && forbidden.test(text)

/** The same of one code point. */
export const isCharacter = (code: number): boolean =>
  code >= 0x20
    ? code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) && code !== 0xfffe && code !== 0xffff
    : code === 9 || code === 10 || code === 13
