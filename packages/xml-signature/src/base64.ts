/** Strict base64: one spelling for each sequence of octets, white space between the characters apart. */
const alphabet = /^[A-Za-z0-9+/]+={0,2}$/

/** Undefined if it is empty, holds anything else, or is padded with bits that are not zero. */
export function decodeBase64(written: string): Buffer | undefined {
  const compact = written.replace(/[ \t\n\r]+/g, '')
  if (compact.length % 4 !== 0 || !alphabet.test(compact)) return undefined
  const octets = Buffer.from(compact, 'base64')
  return octets.toString('base64') === compact ? octets : undefined
}
