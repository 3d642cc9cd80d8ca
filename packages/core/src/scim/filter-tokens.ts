/** The words of a filter. Read once from left to right; nothing is guessed, and what is no word refuses the filter. RFC 7644 §3.4.2.2. */
import { isKeepable } from '../keepable-text.js'

export type Token =
  | { readonly kind: '(' | ')' | '[' | ']' }
  /** In quotes. */
  | { readonly kind: 'text'; readonly value: string }
  /** Everything else that stands together: names, operators, numbers, and Entra's texts without quotes. */
  | { readonly kind: 'word'; readonly value: string }

const quoted = /"(?:[^"\\\p{Cc}]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*"/uy
const word = /[^\s()[\]"]+/y
const space = /\s+/y
const isBracket = (character: string | undefined): character is '(' | ')' | '[' | ']' =>
  character === '(' || character === ')' || character === '[' || character === ']'

export function readTokens(text: string): readonly Token[] | undefined {
  const tokens: Token[] = []
  let at = 0
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    at += found?.length ?? 0
    return found
  }
  while (at < text.length) {
    if (take(space) !== undefined) continue
    const character = text[at]
    if (isBracket(character)) {
      tokens.push({ kind: character })
      at += 1
    } else {
      const literal = character === '"' ? take(quoted) : undefined
      const token = literal === undefined ? take(word) : literal
      if (token === undefined) return undefined
      const value = literal === undefined ? token : (JSON.parse(literal) as string)
      // An escape can make text that nobody can have been stored under: NUL, half a character.
      if (!isKeepable(value)) return undefined
      tokens.push({ kind: literal === undefined ? 'word' : 'text', value })
    }
  }
  return tokens
}
