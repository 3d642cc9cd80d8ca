/** Codes that people read aloud and type: no letter in them is read as something else, on a screen or over the telephone. */

/** No I, L, O or U. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Five bits a character, each from an octet of its own. */
export const readableCodeOf = (octets: Uint8Array, characters: number): string =>
  [...octets.subarray(0, characters)].map((octet) => alphabet[octet & 31]).join('')

/** In fours. */
export const showReadableCode = (code: string): string => code.replaceAll(/(.{4})(?=.)/g, '$1-')

/** As somebody types it; undefined: no code. */
export function parseReadableCode(text: string, characters: number): string | undefined {
  const code = text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
  return code.length === characters && Array.from(code).every((character) => alphabet.includes(character)) ? code : undefined
}
