import { describe, expect, it, test } from 'vitest'
import { type DistinguishedName, isSameName, parseDistinguishedName } from './distinguished-name.js'

const cn = '2.5.4.3'
const o = '2.5.4.10'

describe('the text of a distinguished name (RFC 4514)', () => {
  it('has its last level first', () => {
    expect(parseDistinguishedName('CN=reports,O=Initech')).toEqual([[{ type: o, text: 'Initech' }], [{ type: cn, text: 'reports' }]])
  })
  // RFC 4514 §4, but for OU=Sales+CN=J.  Smith, whose spaces in between are two.
  test.each([
    ['UID=jsmith,DC=example,DC=net', 3, 'jsmith'],
    ['OU=Sales+CN=J.  Smith,DC=example,DC=net', 3, 'Sales'],
    [String.raw`CN=James \"Jim\" Smith\, III,DC=example,DC=net`, 3, 'James "Jim" Smith, III'],
    [String.raw`CN=Before\0dAfter,DC=example,DC=net`, 3, 'Before\rAfter'],
    [String.raw`CN=Lu\C4\8Di\C4\87`, 1, 'Lučić'],
    ['CN=Lučić', 1, 'Lučić'],
    [String.raw`CN=\ a b\ `, 1, ' a b '],
    [String.raw`CN=\#a`, 1, '#a'],
    ['cn=a=b', 1, 'a=b'],
    ['2.5.4.3=a', 1, 'a'],
  ])('%s is read', (text, levels, value) => {
    const name = parseDistinguishedName(text)
    expect(name).toHaveLength(levels)
    expect(name?.at(-1)?.[0]?.text).toBe(value)
  })
  it('says a value in hex as DER', () => {
    expect(parseDistinguishedName('1.3.6.1.4.1.1466.0=#04024869')).toEqual([[{ type: '1.3.6.1.4.1.1466.0', der: '04024869' }]])
  })
  test.each([
    ['', 'it is empty'],
    ['reports', 'it has no type'],
    ['=reports', 'its type is empty'],
    ['XX=reports', 'nobody knows the type'],
    ['2.05.4=a', 'an arc has a zero before it'],
    ['CN=', 'a value is empty'],
    ['CN=a,', 'a level is empty'],
    ['CN=a, O=b', 'a space stands behind the comma'],
    ['CN=a ', 'a bare space is the last'],
    ['CN= a', 'a bare space is the first'],
    ['CN=a"b', 'a quote is bare'],
    ['CN=a;O=b', 'a semicolon is bare'],
    [String.raw`CN=a\zb`, 'a backslash stands before what needs none'],
    ['CN=a\\', 'a backslash stands before nothing'],
    [String.raw`CN=\C3`, 'octets are no UTF-8'],
    ['CN=#a', 'a value in hex is cut'],
    ['CN=a\0', 'it holds NUL'],
    ['CN=a+CN=b', 'a level has a type twice'],
    [`CN=${'a'.repeat(1025)}`, 'it is too long'],
    [Array.from({ length: 33 }, () => 'DC=a').join(','), 'it is too deep'],
  ])('%j is none, because %s', (text) => {
    expect(parseDistinguishedName(text)).toBeUndefined()
  })
  it('is judged in a moment, whatever it is', () => {
    for (const text of ['\\', ',', '+', '\\ ', ' ', 'CN=', '\\,']) expect(parseDistinguishedName(text.repeat(512))).toBeUndefined()
  })
})

describe('two names', () => {
  const found: DistinguishedName = [
    [{ type: o, text: 'Initech', der: '0c07496e697465636821' }],
    [
      { type: cn, text: 'reports', der: '0c07' },
      { type: '2.5.4.5', text: '7', der: '1301' },
    ],
  ]
  const isSame = (text: string) => isSameName(parseDistinguishedName(text) ?? [], found)
  test.each([
    ['CN=reports+serialNumber=7,O=Initech', true, 'they say the same'],
    ['serialNumber=7+CN=reports,O=Initech', true, 'the attributes of a level stand in another order'],
    ['CN=#0C07+2.5.4.5=7,O=Initech', true, 'a value is said as its DER'],
    ['CN=#0c08+2.5.4.5=7,O=Initech', false, 'the DER is another'],
    ['CN=Reports+serialNumber=7,O=Initech', false, 'a letter has another case'],
    ['CN=reports+serialNumber=7,O=Initech,C=CH', false, 'one has a level more'],
    ['CN=reports,O=Initech', false, 'one has an attribute less'],
    ['O=Initech,CN=reports+serialNumber=7', false, 'the levels stand in another order'],
    ['OU=reports+serialNumber=7,O=Initech', false, 'a type is another'],
    [String.raw`CN=reports+serialNumber=7,O=Initech\,CN=x`, false, 'a value looks like a level'],
  ])('%s: same=%s when %s', (text, same) => {
    expect(isSame(text)).toBe(same)
  })
  it('are not the same when a value is text of which nobody knows the letters', () => {
    expect(isSameName([[{ type: cn, text: 'a' }]], [[{ type: cn, der: '1e02' }]])).toBe(false)
    expect(isSameName([[{ type: cn }]], [[{ type: cn, der: '1e02' }]])).toBe(false)
  })
})
