/** Reads DER, strictly: what could be read in two ways is not read. Throws on what is no DER; whoever calls it catches that at its edge. X.690 §10 */
export type DerValue = { readonly tag: number; readonly content: Buffer /** Tag and length, too. */; readonly whole: Buffer }

export const derTags = {
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
} as const

const notDer = (why: string): never => {
  throw new RangeError(`not DER: ${why}`)
}

/** The values that stand one after the other. */
export function readDerValues(octets: Buffer): readonly DerValue[] {
  const values: DerValue[] = []
  for (let at = 0; at < octets.length; ) {
    const value = readAt(octets, at)
    values.push(value)
    at += value.whole.length
  }
  return values
}

/** The one value that is all of it. */
export function readDerValue(octets: Buffer, tag: number): DerValue {
  const value = readAt(octets, 0)
  return value.whole.length === octets.length && value.tag === tag ? value : notDer('another value')
}

/** What is inside a constructed value of this kind. */
export const insideOf = (value: DerValue | undefined, tag: number): readonly DerValue[] =>
  value?.tag === tag ? readDerValues(value.content) : notDer('another kind')

const longTag = 0x1f
const longLength = 0x80
const mostLengthOctets = 3

function readAt(octets: Buffer, at: number): DerValue {
  const tag = octets[at] ?? notDer('its end')
  const first = octets[at + 1] ?? notDer('its end')
  if ((tag & longTag) === longTag) return notDer('a long tag')
  const count = first < longLength ? 0 : first - longLength
  if (first === longLength || count > mostLengthOctets || at + 2 + count > octets.length) return notDer('a length')
  const length = count === 0 ? first : octets.readUIntBE(at + 2, count)
  if (count > 0 && length < (count === 1 ? longLength : 2 ** (8 * (count - 1)))) return notDer('a length that is longer than needed')
  const from = at + 2 + count
  if (from + length > octets.length) return notDer('its end')
  return { tag, content: octets.subarray(from, from + length), whole: octets.subarray(at, from + length) }
}

/** In dotted decimals. */
export function readObjectIdentifier({ tag, content }: DerValue): string {
  if (tag !== derTags.objectIdentifier || content.length === 0) return notDer('no object identifier')
  const arcs: bigint[] = []
  let arc = 0n
  let isWithin = false
  for (const octet of content) {
    if (!isWithin && octet === longLength) return notDer('an arc that is longer than needed')
    arc = (arc << 7n) | BigInt(octet & 0x7f)
    isWithin = octet >= longLength
    if (isWithin) continue
    arcs.push(arc)
    arc = 0n
  }
  const [head = 0n, ...rest] = arcs
  const root = head < 40n ? 0n : head < 80n ? 1n : 2n
  return isWithin ? notDer('its end') : [root, head - root * 40n, ...rest].join('.')
}
