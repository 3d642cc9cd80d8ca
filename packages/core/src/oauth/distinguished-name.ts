/**
 * The distinguished name of a certificate's subject: as a client registers it, in the text of RFC 4514, and compared with the one that a
 * certificate holds.
 *
 * Equal means: the same attributes of the same types in the same order, and each value the same text, code point by code point. RFC 5280 §7.1 folds
 * case and spaces; here nothing is folded, so a name is never taken for one that somebody else can be given.
 */
export type DistinguishedName = readonly RelativeName[]
/** Attributes of one level, in no order. */
export type RelativeName = readonly NameAttribute[]
export type NameAttribute = {
  /** A dotted object identifier. */
  readonly type: string
  /** Absent: it is written in a way of which nobody makes text in one way alone. */
  readonly text?: string
  /** The value as DER, tag and length too, in hex of small letters. Of a name that was read from text only where it stood there. */
  readonly der?: string
}

export const distinguishedNameLimits = { length: 1024, levels: 32, attributesOfLevel: 8 } as const

/** Those of RFC 4514 §3, and those that OpenSSL writes by a word. */
const typesByKeyword: ReadonlyMap<string, string> = new Map([
  ['CN', '2.5.4.3'],
  ['L', '2.5.4.7'],
  ['ST', '2.5.4.8'],
  ['O', '2.5.4.10'],
  ['OU', '2.5.4.11'],
  ['C', '2.5.4.6'],
  ['STREET', '2.5.4.9'],
  ['DC', '0.9.2342.19200300.100.1.25'],
  ['UID', '0.9.2342.19200300.100.1.1'],
  ['SN', '2.5.4.4'],
  ['GN', '2.5.4.42'],
  ['SERIALNUMBER', '2.5.4.5'],
  ['TITLE', '2.5.4.12'],
  ['ORGANIZATIONIDENTIFIER', '2.5.4.97'],
  ['EMAILADDRESS', '1.2.840.113549.1.9.1'],
])

const oid = /^(?:0|[1-9]\d{0,19})(?:\.(?:0|[1-9]\d{0,19})){1,31}$/
const hexString = /^#(?:[0-9a-fA-F]{2})+$/
/** Nothing of it needs a backslash that has none, and it neither begins nor ends with a bare space. RFC 4514 §3 string */
const plainString = /^(?![ #])(?:[^\\"+,;<>\0]|\\[\\"+,;<> #=]|\\[0-9a-fA-F]{2})+(?<!(?<!\\) )$/

/**
 * Reads the text of a name, whose last level comes first; undefined if it is none. Spaces beside a separator belong to nothing and are refused: the text
 * that `openssl x509 -noout -subject -nameopt RFC2253` prints is right.
 *
 * @spec RFC 4514 §3
 */
export function parseDistinguishedName(text: string): DistinguishedName | undefined {
  if (text === '' || text.length > distinguishedNameLimits.length) return undefined
  const levels = splitAt(text, ',').map((level) => splitAt(level, '+').map(parseAttribute))
  const isWhole = levels.every((level): level is NameAttribute[] => level.every((attribute) => attribute !== undefined))
  if (!isWhole || levels.length > distinguishedNameLimits.levels) return undefined
  const isSet = levels.every(
    (level) => level.length <= distinguishedNameLimits.attributesOfLevel && new Set(level.map(({ type }) => type)).size === level.length,
  )
  return isSet ? (levels as NameAttribute[][]).toReversed() : undefined
}

/** At each separator that no backslash stands before. */
function splitAt(text: string, separator: ',' | '+'): readonly string[] {
  const parts: string[] = []
  let from = 0
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === separator) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  return [...parts, text.slice(from)]
}

function parseAttribute(text: string): NameAttribute | undefined {
  const at = text.indexOf('=')
  const word = text.slice(0, Math.max(at, 0))
  const type = oid.test(word) ? word : typesByKeyword.get(word.toUpperCase())
  const value = text.slice(at + 1)
  if (at < 1 || type === undefined) return undefined
  if (hexString.test(value)) return { type, der: value.slice(1).toLowerCase() }
  const read = plainString.test(value) ? unescaped(value) : undefined
  return read === undefined ? undefined : { type, text: read }
}

/** A pair in hex is an octet of UTF-8. */
function unescaped(value: string): string | undefined {
  const octets = value.replaceAll(/\\([0-9a-fA-F]{2})|\\(.)|([^\\]+)/gsu, (_, hex?: string, sign?: string, plain?: string) =>
    hex === undefined ? Buffer.from(sign ?? plain ?? '', 'utf8').toString('hex') : hex,
  )
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(octets, 'hex'))
  } catch {
    return undefined
  }
}

/** `registered` may say a value as text or as DER; `found` is of a certificate and has both, where there is text. */
export const isSameName = (registered: DistinguishedName, found: DistinguishedName): boolean =>
  registered.length === found.length && registered.every((level, at) => isSameLevel(level, found[at] ?? []))

const isSameLevel = (registered: RelativeName, found: RelativeName): boolean =>
  registered.length === found.length && registered.every((wanted) => found.some((attribute) => isSameAttribute(wanted, attribute)))

const isSameAttribute = (wanted: NameAttribute, found: NameAttribute): boolean =>
  wanted.type === found.type &&
  (wanted.der === undefined ? wanted.text !== undefined && wanted.text === found.text : wanted.der === found.der)
