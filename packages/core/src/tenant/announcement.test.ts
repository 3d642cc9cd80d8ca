import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { addSeconds, instant } from '../instant.js'
import { type AnnouncementContent, announcementLimits, buildAnnouncementMail, nextTryAt, oneLine, tryAgainSeconds } from './announcement.js'

const at = instant(Date.UTC(2026, 10, 28, 22, 10))
const content: AnnouncementContent = {
  tenantName: 'Initech',
  recipientName: 'Peter Gibbons',
  origin: 'https://login.example.com',
  acts: [
    { at, kind: 'connection.created', about: 'Okta', by: { keyName: 'operations', isVendor: true, address: '203.0.113.5' } },
    { at, kind: 'domain.proof_lapsed', about: 'initech.example', by: undefined },
  ],
  actCount: 2,
  isDigest: false,
  isOwn: false,
}

test('what a set-up link did was done by no key, of the vendor or of the tenant', () => {
  const by = { keyName: 'set-up link: Peter of IT', isVendor: false, isLink: true, address: '203.0.113.5' } as const
  const { text } = buildAnnouncementMail({ ...content, acts: [{ at, kind: 'connection.created', about: 'Okta', by }], actCount: 1 })
  expect(text).toContain('"Okta". By whoever holds the "set-up link: Peter of IT", from 203.0.113.5.')
  expect(text).not.toContain('\u2019s key "')
})

test('the mail says what happened, to what, when, by which key and from where', () => {
  const { subject, text } = buildAnnouncementMail(content)
  expect(subject).toBe('Initech: how people sign in was changed')
  expect(text).toContain('Hello Peter Gibbons,')
  expect(text).toContain(
    '- 2026-11-28T22:10:00.000Z: An admin added a connection to an identity provider. "Okta". By the vendor\u2019s key "operations" from 203.0.113.5.',
  )
  expect(text).toMatch(/is proven no more\..* "initech\[\.\]example"\.$/m)
})

test('acts beyond those that are listed are counted', () => {
  expect(buildAnnouncementMail({ ...content, actCount: 7 }).text).toContain('- and 5 more, which are in the audit trail')
})

test('a mail that was gathered for an hour says why it comes so late', () => {
  expect(buildAnnouncementMail(content).text).not.toContain('gathered')
  expect(buildAnnouncementMail({ ...content, isDigest: true }).text).toContain(
    `You have been written to ${announcementLimits.promptMailsPerDay} times within a day, so what is new is gathered for an hour.`,
  )
})

describe('whatever a tenant calls itself, its connections or its people', () => {
  it('stays in its line: neither a header nor a line of the list can be added', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const acts = [{ at, kind: 'connection.created' as const, about: name, by: { keyName: name, isVendor: false, address: '::1' } }]
        const { subject, text } = buildAnnouncementMail({ ...content, tenantName: name, recipientName: name, acts, actCount: 1 })
        expect(subject).not.toMatch(/[\r\n\u2028\u2029]/)
        expect(text.split(/[\r\n\u2028\u2029]/).length).toBe(
          buildAnnouncementMail({ ...content, acts, actCount: 1 }).text.split('\n').length,
        )
      }),
    )
  })
  it.each([
    { name: 'https://evil.example/login', read: '"https evil[.]example/login"' },
    { name: 'www.evil.example', read: '"www[.]evil[.]example"' },
    { name: 'help@evil.example', read: '"help(at)evil[.]example"' },
  ])('$name is no link in the mail', ({ name, read }) => {
    const acts = [{ at, kind: 'connection.created' as const, about: name, by: { keyName: name, isVendor: false, address: '::1' } }]
    const { subject, text } = buildAnnouncementMail({ ...content, tenantName: name, recipientName: name, acts })
    expect(text).toContain(read)
    expect(`${subject}${text}`).not.toContain('evil.example')
  })
  it.each([
    { name: 'a\r\nBcc: everybody@example.com', read: 'a Bcc: everybody@example.com' },
    { name: 'sign-in\u202egnikcah', read: 'sign-in gnikcah' },
    { name: 'x'.repeat(500), read: 'x'.repeat(announcementLimits.nameCharacters) },
  ])('reads $read', ({ name, read }) => {
    expect(oneLine(name)).toBe(read)
  })
})

test('a mail is tried again after ever longer pauses, and given up behind the last', () => {
  expect(nextTryAt(1, at)).toBe(addSeconds(at, 60))
  expect(nextTryAt(tryAgainSeconds.length, at)).toBe(addSeconds(at, 86_400))
  expect(nextTryAt(tryAgainSeconds.length + 1, at)).toBeUndefined()
})

test('a person who is told of her own sign-in is no contact, and learns what to do', () => {
  const act = { at: content.acts[0]?.at ?? instant(0), kind: 'second_factor.reset', about: undefined, by: undefined } as const
  const { subject, text } = buildAnnouncementMail({ ...content, acts: [act], actCount: 1, isOwn: true })
  expect(subject).toContain('your second factor was changed')
  expect(text).toContain('An admin took every factor of a person away')
  expect(text).toContain('If not, tell them at once')
  expect(text).not.toContain('you are a contact')
})
