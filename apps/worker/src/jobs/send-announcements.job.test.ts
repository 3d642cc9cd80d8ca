/** Announcements go out over a real mail server: gathered, once, again after trouble, and never silently not at all. */
import type { AddressInfo } from 'node:net'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import {
  announcementLimits,
  digestSeconds,
  gatherSeconds,
  keepAnnouncementSeconds,
  tryAgainSeconds,
} from '@drawbridge/core/tenant/announcement'
import { createSendMail } from '@drawbridge/runtime/send-mail'
import { announce, claimAnnouncementsAcrossTenants, listAnnouncements, retryAnnouncement } from '@drawbridge/store/announcements'
import { deleteContact, insertContact } from '@drawbridge/store/contacts'
import { acrossTenants, inTenant } from '@drawbridge/store/transaction'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aCompany, jobDeps, random } from '../../test/a-company.js'
import type { JobDeps } from '../deps.js'
import { tellTenant } from '../tell-tenant.js'
import { mailsPerClaim, sendAnnouncements } from './send-announcements.job.js'
import { sweepExpired } from './sweep-expired.job.js'

const start = instant(Date.UTC(2026, 10, 28))
let now: Instant = start
let fixture: TestDatabase
let acme: Awaited<ReturnType<typeof aCompany>>
let server: SMTPServer
let answer: number | undefined
let received: { readonly to: string; readonly raw: string }[] = []
let deps: JobDeps

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aCompany(fixture, 'acme')
  server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    onRcptTo: (_address, _session, done) => done(answer === undefined ? null : Object.assign(new Error('no'), { responseCode: answer })),
    onData: (stream, { envelope }, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        received.push({ to: envelope.rcptTo[0]?.address ?? '', raw: Buffer.concat(chunks).toString('utf8') })
        done()
      })
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  const mail = { send: createSendMail(`smtp://127.0.0.1:${port}`, 'no-reply@login.example.com'), origin: 'https://login.example.com' }
  deps = { ...jobDeps(fixture), clock: { now: () => now }, mail }
})
afterAll(async () => {
  await new Promise<void>((resolve) => server.close(resolve))
  await fixture?.close()
})
beforeEach(async () => {
  now = start
  answer = undefined
  received = []
  await asOwner(fixture.ownerUrl, 'DELETE FROM announcements')
  await asOwner(fixture.ownerUrl, 'DELETE FROM contacts')
  for (const name of ['ada', 'ben']) await aContact(name)
})

const aContact = (name: string) =>
  inTenant(fixture.database, acme.tenant, (db) =>
    insertContact(db, acme.tenant, { id: random.uuid(), name, email: `${name}@acme.example`, now }),
  )
const act = (about: string) =>
  inTenant(fixture.database, acme.tenant, (db) =>
    announce(db, acme.tenant, {
      at: now,
      kind: 'connection.updated',
      about,
      by: { keyName: 'operations', isVendor: true, address: '203.0.113.5' },
    }),
  )
const listed = () => inTenant(fixture.database, acme.tenant, (db) => listAnnouncements(db, acme.tenant, undefined, { limit: 50 }))
const later = (seconds: number) => {
  now = addSeconds(now, seconds)
}
const run = () => sendAnnouncements(deps)

it('gathers what is done within the window into one mail to each contact, and sends it once', async () => {
  await act('Okta')
  later(20)
  await act('Entra')
  await run()
  expect(received).toEqual([])
  later(gatherSeconds - 20)
  await Promise.all([run(), run()])
  await run()
  expect(received.map(({ to }) => to).sort()).toEqual(['ada@acme.example', 'ben@acme.example'])
  for (const { raw } of received) expect(raw).toMatch(/Okta[\s\S]*Entra/)
  expect(await listed()).toMatchObject([
    { state: 'sent', actCount: 2, attempts: 1 },
    { state: 'sent', actCount: 2, attempts: 1 },
  ])
})

it('whoever was written to often within a day gets the rest once an hour, from the first act on', async () => {
  for (let mail = 0; mail < announcementLimits.promptMailsPerDay; mail += 1) {
    await act(`c${mail}`)
    later(gatherSeconds)
    await run()
  }
  expect(received).toHaveLength(2 * announcementLimits.promptMailsPerDay)
  received = []
  await act('gathered')
  later(digestSeconds - 1)
  await act('gathered, too')
  await run()
  expect(received).toEqual([])
  later(1)
  await run()
  expect(received.map(({ to }) => to).sort()).toEqual(['ada@acme.example', 'ben@acme.example'])
  for (const { raw } of received) expect(raw.replaceAll('=\r\n', '')).toMatch(/gathered, too[^]*gathered for an hour/)
  // Somebody who is new was written to not at all, and a day later all is as before.
  await aContact('cleo')
  await act('for all')
  later(gatherSeconds)
  received = []
  await run()
  expect(received.map(({ to }) => to)).toEqual(['cleo@acme.example'])
  later(86_400)
  await run()
  received = []
  await act('the next day')
  later(gatherSeconds)
  await run()
  expect(received).toHaveLength(3)
})

it('what is done after the window, or while its mail is under way, goes into the next mail', async () => {
  await act('Okta')
  later(gatherSeconds)
  await acrossTenants(fixture.database, (db) =>
    claimAnnouncementsAcrossTenants(db, { now, leaseUntil: addSeconds(now, 600), limit: mailsPerClaim }),
  )
  await act('Entra')
  expect((await listed()).map(({ acts }) => acts.map(({ about }) => about)).sort()).toEqual([['Entra'], ['Entra'], ['Okta'], ['Okta']])
})

it('a contact who is removed reads what happened until then', async () => {
  await act('Okta')
  const [contact] = await asOwner<{ id: string }>(fixture.ownerUrl, "SELECT id FROM contacts WHERE name = 'ada'", [])
  await inTenant(fixture.database, acme.tenant, (db) => deleteContact(db, acme.tenant, contact?.id ?? ''))
  later(gatherSeconds)
  await run()
  expect(received.map(({ to }) => to).sort()).toEqual(['ada@acme.example', 'ben@acme.example'])
})

it('a mail lists a bounded number of acts and counts the rest', async () => {
  for (let index = 0; index < announcementLimits.acts + 3; index += 1) await act(`c${index}`)
  const [one] = await listed()
  expect([one?.acts.length, one?.actCount]).toEqual([announcementLimits.acts, announcementLimits.acts + 3])
})

it('whoever fills a mail first hides no other kind of act in what is counted', async () => {
  for (let index = 0; index <= announcementLimits.acts; index += 1) await act(`c${index}`)
  const by = { keyName: 'k', isVendor: false, address: '192.0.2.1' }
  for (const about of ['Okta', 'Entra'])
    await inTenant(fixture.database, acme.tenant, (db) =>
      announce(db, acme.tenant, { at: now, kind: 'connection.sha1_allowed', about, by }),
    )
  const [one] = await listed()
  expect(one?.acts.slice(announcementLimits.acts)).toMatchObject([{ kind: 'connection.sha1_allowed', about: 'Okta' }])
  expect(one?.actCount).toBe(announcementLimits.acts + 3)
})

it('what the product notices and somebody has to mend is told, too: an end of a certificate, a lapsed domain', async () => {
  const event = { at: now, detail: {} } as const
  await inTenant(fixture.database, acme.tenant, async (db) => {
    await tellTenant(db, acme.tenant, { ...event, kind: 'connection.certificate_expiring', connectionId: acme.connection })
    await tellTenant(db, acme.tenant, { ...event, kind: 'domain.proof_lapsed' }, 'acme.example')
    await tellTenant(db, acme.tenant, { ...event, kind: 'domain.proof_recovered' }, 'acme.example')
  })
  const [one] = await listed()
  expect(one?.acts).toMatchObject([
    { kind: 'connection.certificate_expiring', about: 'Corporate', by: undefined },
    { kind: 'domain.proof_lapsed', about: 'acme.example' },
  ])
})

describe('trouble', () => {
  it('for good gives the mail up with the reason, which its list shows', async () => {
    answer = 550
    await act('Okta')
    later(gatherSeconds)
    await run()
    expect(await listed()).toMatchObject([
      { state: 'failed', trouble: 'the mail server refused the mail (550)' },
      { state: 'failed', trouble: 'the mail server refused the mail (550)' },
    ])
    answer = undefined
    later(86_400)
    await run()
    expect(received).toEqual([])
  })

  it('for good is tried again when somebody says so, and as often as a new mail', async () => {
    answer = 550
    await act('Okta')
    later(gatherSeconds)
    await run()
    const [one] = await listed()
    const retry = () => inTenant(fixture.database, acme.tenant, (db) => retryAnnouncement(db, acme.tenant, one?.id ?? '', now))
    answer = 451
    const all = await Promise.all([retry(), retry()])
    expect(all.filter((each) => each === 'not_given_up')).toHaveLength(1)
    await run()
    expect((await listed()).map(({ state, attempts }) => [state, attempts]).sort()).toEqual([
      ['failed', 1],
      ['waiting', 1],
    ])
    answer = undefined
    later(tryAgainSeconds[0] ?? 0)
    await run()
    expect(received.map(({ to }) => to)).toEqual([one?.recipientEmail])
    expect(await retry()).toBe('not_given_up')
  })

  it('for now is tried again after ever longer pauses, and given up behind the last', async () => {
    answer = 451
    await act('Okta')
    later(gatherSeconds)
    await run()
    expect(await listed()).toMatchObject([{ state: 'waiting', attempts: 1, tryAt: addSeconds(now, tryAgainSeconds[0] ?? 0) }, {}])
    for (const pause of tryAgainSeconds) {
      later(pause)
      await run()
    }
    expect((await listed()).map(({ state, attempts }) => [state, attempts])).toEqual([
      ['failed', tryAgainSeconds.length + 1],
      ['failed', tryAgainSeconds.length + 1],
    ])
  })

  it('of the server costs no mail a try, and all are sent when it is back', async () => {
    await act('Okta')
    later(gatherSeconds)
    const gone = { send: createSendMail('smtp://127.0.0.1:1', 'no-reply@login.example.com'), origin: 'https://login.example.com' }
    await sendAnnouncements({ ...deps, mail: gone })
    expect(await listed()).toMatchObject([
      { state: 'waiting', attempts: 0, trouble: 'the mail server could not be used' },
      { state: 'waiting', attempts: 0 },
    ])
    later(60)
    await run()
    expect(received).toHaveLength(2)
  })

  it('of the worker, which dies with mails in hand, leaves them to the next one after its lease', async () => {
    await act('Okta')
    later(gatherSeconds)
    await acrossTenants(fixture.database, (db) =>
      claimAnnouncementsAcrossTenants(db, { now, leaseUntil: addSeconds(now, 600), limit: mailsPerClaim }),
    )
    await run()
    expect(received).toEqual([])
    later(600)
    await run()
    expect(received).toHaveLength(2)
  })
})

it('without a mail server everything waits, and nothing is swept before it was sent', async () => {
  await act('Okta')
  later(keepAnnouncementSeconds * 2)
  const { mail: _mail, ...without } = deps
  await sendAnnouncements(without)
  await sweepExpired(deps)
  expect(await listed()).toMatchObject([{ state: 'waiting' }, { state: 'waiting' }])
  expect(await deps.metrics.print()).toContain('drawbridge_announcements_waiting 2')
  await run()
  later(keepAnnouncementSeconds + 1)
  await sweepExpired(deps)
  expect(await listed()).toEqual([])
})
