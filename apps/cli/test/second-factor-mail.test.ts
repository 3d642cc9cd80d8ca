/**
 * How a person comes by a second factor in a running product, with a mail server: the admin's code goes another way than by mail, and everybody
 * who has to know is told of each act by mail.
 */
import type { AddressInfo } from 'node:net'
import { instant } from '@drawbridge/core/instant'
import { gatherSeconds } from '@drawbridge/core/tenant/announcement'
import { appShows } from '@drawbridge/testkit/an-authenticator-app'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aBrowser, anAttempt, logIn, redirectUri, registerAt } from './a-client.js'
import { aProduct, type Product } from './a-product.js'

type Mail = { readonly to: string; readonly text: string }

let product: Product
let server: SMTPServer
const mails: Mail[] = []

beforeAll(async () => {
  server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    onData: (stream, { envelope }, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        mails.push({ to: envelope.rcptTo[0]?.address ?? '', text: readable(Buffer.concat(chunks).toString('utf8')) })
        done()
      })
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  // A laboratory, so that the clock can go past the minute for which a mail gathers, and the worker be told to look.
  product = await aProduct({
    DRAWBRIDGE_LAB: 'true',
    DRAWBRIDGE_SMTP_URL: `smtp://127.0.0.1:${port}`,
    DRAWBRIDGE_MAIL_FROM: 'no-reply@login.example.com',
  })
}, 120_000)
afterAll(async () => {
  await product?.stop()
  await new Promise<void>((resolve) => server.close(resolve))
}, 60_000)

/** RFC 2045 §6.7 */
const readable = (raw: string): string =>
  raw.replaceAll(/=\r\n/g, '').replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

let offsetSeconds = 0
/** What was done until now has gathered long enough, and the worker looks for it. */
async function aMinutePasses(): Promise<void> {
  offsetSeconds += gatherSeconds + 1
  expect((await product.admin('PUT', '/lab/clock', { offsetSeconds })).status).toBe(200)
  expect((await product.admin('POST', '/lab/job-runs')).status).toBe(202)
}

const patienceMs = 30_000
async function arrived(to: string, words: string): Promise<Mail> {
  const begun = performance.now()
  for (;;) {
    const mail = mails.find((each) => each.to === to && each.text.includes(words))
    if (mail !== undefined) return mail
    if (performance.now() - begun > patienceMs) throw new Error(`${to} was not told of "${words}": ${JSON.stringify(mails)}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

const [contact, clark] = ['it@acme.example', 'clark@acme.example']
const codeWords = 'An admin made a code with which a person may enrol her first factor here'
const enrolledWords = 'A person enrolled a second factor'
const resetWords = 'An admin took every factor of a person away'

it('a code is made, a factor enrolled and reset: contacts and the person read of it, and no mail holds what enrols or proves', async () => {
  const { json } = await product.admin('GET', '/tenants/acme/connections')
  const [own] = json['connections'] as readonly { id: string }[]
  expect((await product.admin('PUT', '/tenants/acme/second-factor', { mode: 'on', cannotProve: [own?.id] })).status).toBe(200)
  expect((await product.admin('POST', '/tenants/acme/contacts', { name: 'IT', email: contact })).status).toBe(201)
  const clientId = await registerAt(product.issuer('acme'), { client_name: 'Purging agent', redirect_uris: [redirectUri] })
  const scope = 'documents:read admin:purge'
  const attempt = anAttempt({ issuer: product.issuer('acme'), clientId, resource: product.mcpUrl, scope })
  const asked = (await logIn(attempt, { name: 'clark', withMfa: false }, aBrowser())).page
  expect(asked.text).toContain('Ask the administrators of your company for a code')

  const people = (await product.admin('GET', '/tenants/acme/subjects')).json['subjects'] as readonly { id: string; stableId: string }[]
  const subject = people.find(({ stableId }) => /clark/.test(stableId))?.id
  const code = String((await product.admin('POST', `/tenants/acme/subjects/${subject}/factor-codes`)).json['code'])
  const offered = await asked.form('act=redeem').submit({ code })
  const key = (/<code>((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})<\/code>/.exec(offered.html)?.[1] ?? '').replaceAll(' ', '')
  const shown = appShows(key, instant(Date.now()))
  const enrolled = await offered.form('act=enrol_totp').submit({ code: shown })
  expect(enrolled.text).toContain('Show that it is you')

  await aMinutePasses()
  expect((await arrived(clark, enrolledWords)).text).toContain('an authenticator app, allowed by a code of an admin')
  await arrived(contact, codeWords)
  expect((await arrived(contact, enrolledWords)).text).toContain(
    'clark(at)acme[.]example: an authenticator app, allowed by a code of an admin',
  )

  expect((await product.admin('POST', `/tenants/acme/subjects/${subject}/factors/reset`, { reason: 'lost it' })).status).toBe(200)
  await aMinutePasses()
  await arrived(clark, resetWords)
  await arrived(contact, resetWords)
  expect(new Set(mails.map(({ to }) => to))).toEqual(new Set([contact, clark]))
  for (const { text } of mails)
    for (const secret of [code, code.replaceAll('-', ''), key, shown, '/t/acme'])
      expect(text.includes(secret) ? `a mail holds ${secret}` : '').toBe('')
}, 120_000)
