import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scimLimits } from './error.js'
import { inCodePoints, matchesFilter } from './evaluate-filter.js'
import { parseFilter } from './parse-filter.js'
import { groupType, userType } from './resource-type.js'

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const bjensen = {
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:User', enterprise],
  id: 'u1',
  externalId: '00u1',
  userName: 'bjensen',
  active: true,
  name: { familyName: "O'Malley", givenName: 'Barbara' },
  title: 'Tour Guide',
  userType: 'Employee',
  emails: [
    { type: 'work', value: 'bjensen@example.com', primary: true },
    { type: 'home', value: 'babs@jensen.org' },
  ],
  ims: [{ type: 'xmpp', value: 'foo.com' }],
  [enterprise]: { employeeNumber: '701984', manager: { value: 'm1' } },
  shoeSize: 41,
  'urn:acme:ext:2.0:User': { Badge: 'X-7', levels: ['a', 'b'] },
  meta: { resourceType: 'User', created: '2011-05-13T04:42:34Z', lastModified: '2011-05-13T04:42:34.500+02:00' },
}
const matches = (text: string): boolean => {
  const filter = parseFilter(userType, text)
  if (!filter.ok) throw new Error(`${text}: ${filter.error.detail}`)
  return matchesFilter(filter.value, bjensen)
}

describe('a filter', () => {
  // The examples of RFC 7644 §3.4.2.2, and those of the directories.
  test.each([
    'userName eq "bjensen"',
    'userName Eq "BJENSEN"',
    `name.familyName co "O'Malley"`,
    'userName sw "B"',
    'urn:ietf:params:scim:schemas:core:2.0:User:userName sw "B"',
    'title pr',
    'meta.lastModified gt "2011-05-12T04:42:34Z"',
    'meta.lastModified ge "2011-05-13T02:42:34.500Z"',
    'meta.lastModified eq "2011-05-12T22:42:34.500-04:00"',
    'meta.lastModified lt "2011-05-13T02:42:34.501Z"',
    'title pr and userType eq "Employee"',
    'title pr or userType eq "Intern"',
    'userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")',
    'userType ne "Intern" and not(emails co "example.net")',
    'userType eq "Employee" and (emails.type eq "work")',
    'userType eq "Employee" and emails[type eq "work" and value co "@example.com"]',
    'emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]',
    'EMAILS[TYPE EQ "work"].VALUE eq "bjensen@example.com"',
    'emails[type eq "home"].value ne "bjensen@example.com"',
    'emails.value ne "babs@jensen.org"',
    'schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"',
    `${enterprise}:manager.value eq "m1"`,
    'manager eq "m1" and id eq u1',
    'externalId eq 00u1',
    `${enterprise}:employeeNumber eq 701984`,
    'active eq True',
    'active eq "true"',
    'active ne false',
    'nickName eq null',
    'nickName ne "x"',
    'title ne null',
    'not (nickName pr)',
    'shoeSize ge 41 and SHOESIZE lt 41.5',
    'urn:acme:ext:2.0:User:badge sw "x-"',
    'urn:acme:ext:2.0:User:levels eq "b"',
    'userName gt "bjense" and userName le "bjensen"',
    'userType eq "Intern" and title pr or active eq true',
    'userName eq "b\\u006aensen"',
    `${enterprise} pr`,
  ])('%s', (text) => expect(matches(text)).toBe(true))

  test.each([
    'externalId eq "00U1"',
    'nickName pr',
    'constructor pr',
    'emails[type eq "home" and value co "@example.com"]',
    'ims[type eq "xmpp" and value co "@foo.com"]',
    'not (title pr)',
    'shoeSize eq "41"',
    'active eq false',
    'userType eq "Intern" and (title pr or active eq true)',
    'emails.constructor pr',
  ])('%s does not match', (text) => expect(matches(text)).toBe(false))

  test.each([
    '',
    'userName',
    'userName eq',
    'userName eq "a',
    'userName = "a"',
    'userName eq "a" userName',
    'userName eq "a" and',
    'not userName eq "a"',
    '(userName eq "a"',
    'userName eq "a")',
    'emails[type eq "work"',
    'emails[type eq "work"].value',
    'emails[type eq "work"].value[type eq "x"]',
    'emails.type[value eq "x"]',
    'emails[emails[type eq "x"]]',
    'emails[a.b eq "x"]',
    'active gt true',
    'active co "t"',
    'active eq "perhaps"',
    'meta.created gt "yesterday"',
    'meta.created sw "2011"',
    'name eq "x"',
    'userName gt null',
    'x509Certificates.value gt "a"',
    'password eq "x"',
    'password pr',
    'a.b.c eq "x"',
    '1 eq 1',
    'title eq and',
    'title eq and and title pr',
    'title eq EQ or title pr',
    'shoeSize eq 1e999 or shoeSize gt true',
    String.raw`userName eq "a\u0000"`,
    String.raw`externalId eq "\ud83d"`,
    String.raw`userName eq "\x"`,
    `userName eq "${'x'.repeat(scimLimits.filterCharacters)}"`,
    Array.from({ length: scimLimits.filterTerms + 1 }, () => 'title pr').join(' and '),
    `${'('.repeat(scimLimits.filterDepth + 1)}title pr${')'.repeat(scimLimits.filterDepth + 1)}`,
  ])('%s is refused', (text) => {
    expect(parseFilter(userType, text)).toMatchObject({ ok: false, error: { reason: 'scim_filter_invalid' } })
  })

  test('never throws, whatever it is', () => {
    const words = fc.constantFrom(
      'userName',
      'emails',
      'eq',
      'pr',
      'and',
      'or',
      'not',
      '(',
      ')',
      '[',
      ']',
      '"a"',
      '.value',
      'true',
      'null',
      '1',
      '"',
      ' ',
    )
    fc.assert(
      fc.property(
        fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 30 }),
        (parts) => void parseFilter(groupType, parts.join(' ')),
      ),
    )
  })

  test('the order of texts is that of code points', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'Z', '\ud7ff', '\ue000', '\uffff', '😀', '𐀀'), maxLength: 4 })
    const inUtf8 = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))
    fc.assert(fc.property(text, text, (one, other) => Math.sign(inCodePoints(one, other)) === Math.sign(inUtf8(one, other))))
  })
})
