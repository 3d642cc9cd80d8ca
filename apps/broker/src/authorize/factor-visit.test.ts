/** The page of a person's own factors: what she does there, and every way in which somebody else would do it for her. */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import type { OAuthErrorReason } from '@drawbridge/core/oauth/error'
import {
  aFactorCompany,
  type FactorCompany,
  isGranted,
  issuer,
  keyOf,
  optionsOf,
  origin,
  type Person,
  titleOf,
} from '@drawbridge/testkit/a-factor-company'
import { type APage, aCompany, aPlainBrowser, hidden } from '@drawbridge/testkit/a-login'
import { type APasskey, aPasskey } from '@drawbridge/testkit/a-passkey'
import { appShows } from '@drawbridge/testkit/an-authenticator-app'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let c: FactorCompany
beforeAll(async () => {
  c = await aFactorCompany()
})
afterAll(() => c?.close())
beforeEach(() => c.begin())

const asks = 'Show that it is you'
const mine = 'Your second factors'
const refusedFor = (reason: FactorRefusal): string => `refused ${reason}`
const codeOf = ({ text }: APage): OAuthErrorReason => /Code <code>([a-z_]+)</.exec(text)?.[1] as OAuthErrorReason

/** What the form of this page carries that does this. */
function formThat(act: string, { text }: APage): Record<string, string> {
  const form = text.split('<form').find((part) => part.includes(`name="act" value="${act}"`)) ?? ''
  const fields = ['visit', 'proof', 'factor'].flatMap((name) => (hidden(form, name) === '' ? [] : [[name, hidden(form, name)]]))
  return { ...Object.fromEntries(fields), act }
}
const visitOf = ({ text }: APage): string => hidden(text, 'visit')

const prove = (person: Person, page: APage, device: APasskey): Promise<APage> =>
  c.postVisit(person, { ...formThat('passkey', page), answer: device.get(optionsOf(page)) })
const enter = (person: Person, page: APage, key: string): Promise<APage> =>
  c.postVisit(person, { ...formThat('totp', page), code: appShows(key, c.now()) })
const view = (person: Person, visit: string, more = ''): Promise<APage> => person.browser.visit(`${issuer}/factors?visit=${visit}${more}`)

const factorsOf = async (person: Person) =>
  c.owner<{ id: string; kind: string }>(
    'SELECT id, kind FROM factors WHERE subject_id = $1 ORDER BY created_at, id',
    await c.subjectOf(person),
  )
const kindsOf = async (person: Person) => (await factorsOf(person)).map(({ kind }) => kind)

/** The page that asks whether to remove the n-th, and its form. */
async function removalOf(person: Person, page: APage, nth: number): Promise<Record<string, string>> {
  const factor = (await factorsOf(person))[nth]?.id ?? ''
  return formThat('remove', await view(person, visitOf(page), `&remove=${factor}`))
}

async function withTwoPasskeys(person: Person): Promise<readonly [APasskey, APasskey]> {
  const { device } = await c.withPasskey(person)
  c.wait(1)
  const added = aPasskey(origin)
  const page = await prove(person, await c.visit(person), device)
  const offered = await view(person, visitOf(page), '&step=add')
  await c.postVisit(person, { ...formThat('enrol_passkey', offered), answer: added.create(optionsOf(offered)) })
  return [device, added]
}

describe('a look at one’s own factors', () => {
  it('begins by no link, and by no form of another page or browser', async () => {
    const ada = c.aPerson()
    const begin = await ada.browser.visit(`${issuer}/factors`)
    const connection = c.acme.connectionId
    const proofs = ['', hidden(begin.text, 'proof').replace(/\..{9}/, '.AAAAAAAAA')]
    for (const proof of proofs)
      expect(codeOf(await ada.browser.visit(`${issuer}/factors/sign-in`, { proof, connection }))).toBe('step_proof_invalid')
    const stranger = { proof: hidden((await c.aPerson().browser.visit(`${issuer}/factors`)).text, 'proof'), connection }
    expect(codeOf(await ada.browser.visit(`${issuer}/factors/sign-in`, stranger))).toBe('step_proof_invalid')
    expect(await c.owner("SELECT 1 FROM login_requests WHERE purpose = 'enrol'")).toEqual([])
    const unknown = { proof: hidden(begin.text, 'proof'), connection: c.acme.tenantId }
    expect(codeOf(await ada.browser.visit(`${issuer}/factors/sign-in`, unknown))).toBe('connection_unknown')
  })
  it('needs a sign-in of just now, whatever session there is, and that the IdP says so', async () => {
    const ada = c.aPerson()
    await c.withPasskey(ada)
    expect(titleOf(await c.visit(ada))).toBe(asks)
    expect(c.idp.started.at(-1)?.forceAuthn).toBe(true)
    const minute = 60_000
    for (const signedInAt of [undefined, c.now() - 60 * minute, c.now() - 4 * minute])
      expect(codeOf(await c.visit(ada, { signedInAt: signedInAt as ReturnType<typeof c.now> | undefined }))).toBe('factor_visit_not_fresh')
  })
  it('tells nothing of them before she has shown one', async () => {
    const ada = c.aPerson()
    const { device } = await c.withPasskey(ada)
    const page = await c.visit(ada)
    expect([titleOf(page), page.text.includes('Added'), page.text.includes('Remove')]).toEqual([asks, false, false])
    const visit = visitOf(page)
    const [id] = (await factorsOf(ada)).map((factor) => factor.id)
    for (const more of ['&step=add', `&remove=${id}`]) expect(titleOf(await view(ada, visit, more))).toBe(asks)
    const listed = await prove(ada, await view(ada, visit), device)
    expect([titleOf(listed), listed.text.includes('Passkey'), listed.text.includes('allowed by a code of an admin')]).toEqual([
      mine,
      true,
      true,
    ])
    expect((await c.trailOf(ada)).at(-1)).toBe('proved')
  })
  it('is of no use to whoever has none, or whose company asks for none', async () => {
    const ada = c.aPerson()
    const page = await c.visit(ada)
    expect([titleOf(page), page.text.includes('You have none here.')]).toEqual([mine, true])
    await c.set({ mode: 'off' })
    expect(codeOf(await ada.browser.visit(`${issuer}/factors`))).toBe('factors_off')
    const ben = c.aPerson()
    await c.begin()
    const { device } = await c.withPasskey(ben)
    const open = await c.visit(ben)
    await c.set({ mode: 'off' })
    expect(codeOf(await prove(ben, open, device))).toBe('factors_off')
  })
})

describe('another one', () => {
  it('is added behind one that she has, and works from the next time on', async () => {
    const ada = { ...c.aPerson(), email: 'ada@acme.example' }
    const domain =
      "INSERT INTO domains (tenant_id, domain, connection_id, verified_at, created_at) VALUES ($1, 'acme.example', $2, now(), now())"
    await c.owner(domain, c.acme.tenantId, c.acme.connectionId)
    await c.call('POST', '/tenants/acme/contacts', { name: 'IT', email: 'it@acme.example' })
    const { device } = await c.withPasskey(ada)
    c.wait(1)
    const page = await prove(ada, await c.visit(ada), device)
    const offered = await view(ada, visitOf(page), '&step=add')
    expect([titleOf(offered), offered.text.includes('<svg class="qr"')]).toEqual(['Add a second factor', true])
    const key = keyOf(offered)
    const added = { ...formThat('enrol_totp', offered), key: hidden(offered.text, 'key') }
    const wrong = await c.postVisit(ada, { ...added, code: '000000' })
    expect([wrong.status, keyOf(wrong)]).toEqual([400, key])
    expect(titleOf(await c.postVisit(ada, { ...added, code: appShows(key, c.now()) }))).toBe(mine)
    expect(await kindsOf(ada)).toEqual(['passkey', 'totp'])
    c.wait(30)
    expect(isGranted(await c.enter(ada, await c.ask(ada), key))).toBe(true)
    const mails = await c.owner<{ to: string; is_own: boolean; acts: { kind: string; about?: string }[] }>(
      'SELECT recipient_email AS to, is_own, acts FROM announcements WHERE tenant_id = $1 ORDER BY is_own, opened_at',
      c.acme.tenantId,
    )
    const told = mails.flatMap(({ to, is_own, acts }) =>
      acts.filter(({ kind }) => kind === 'second_factor.enrolled').map(({ about }) => [to, is_own, about]),
    )
    expect(told).toEqual([
      ['it@acme.example', false, 'ada@acme.example: a passkey, allowed by a code of an admin'],
      ['it@acme.example', false, 'ada@acme.example: an authenticator app, allowed by another factor'],
      ['ada@acme.example', true, 'a passkey, allowed by a code of an admin'],
      ['ada@acme.example', true, 'an authenticator app, allowed by another factor'],
    ])
  })
  it('is not added without one, nor by one that was shown too long ago', async () => {
    const ada = c.aPerson()
    const { device } = await c.withPasskey(ada)
    const page = await prove(ada, await c.visit(ada), device)
    const offered = await view(ada, visitOf(page), '&step=add')
    const form = { ...formThat('enrol_totp', offered), key: hidden(offered.text, 'key') }
    c.wait(301)
    const late = await c.postVisit(ada, { ...form, code: appShows(keyOf(offered), c.now()) })
    expect([late.status, titleOf(late), (await c.trailOf(ada)).at(-1)]).toEqual([403, asks, refusedFor('factor_not_shown')])
    expect(await kindsOf(ada)).toEqual(['passkey'])
    c.wait(600)
    expect(codeOf(await view(ada, visitOf(page)))).toBe('factor_visit_over')
  })
  it('is not shown in the visit that added it', async () => {
    const ada = c.aPerson()
    const { device } = await c.withPasskey(ada)
    c.wait(1)
    const page = await prove(ada, await c.visit(ada), device)
    const offered = await view(ada, visitOf(page), '&step=add')
    const added = aPasskey(origin)
    const listed = await c.postVisit(ada, { ...formThat('enrol_passkey', offered), answer: added.create(optionsOf(offered)) })
    await c.postVisit(ada, await removalOf(ada, listed, 0))
    const again = await view(ada, visitOf(page))
    expect(again.text.includes('None of yours can be shown here now')).toBe(true)
    expect(titleOf(await prove(ada, await c.visit(ada), added))).toBe(mine)
  })
  it('of an app takes no key that was offered in another visit', async () => {
    const [ada, ben] = [c.aPerson(), c.aPerson()]
    const offers: APage[] = []
    for (const person of [ada, ben]) {
      const { device } = await c.withPasskey(person)
      const page = await prove(person, await c.visit(person), device)
      offers.push(await view(person, visitOf(page), '&step=add'))
    }
    const [adas, bens] = offers as [APage, APage]
    await c.postVisit(ada, { ...formThat('enrol_totp', adas), key: hidden(bens.text, 'key'), code: appShows(keyOf(bens), c.now()) })
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('totp_not_enrolled'))
  })
})

describe('one that is taken away', () => {
  it('opens nothing any more, and what it had proved for an open request neither', async () => {
    const ada = c.aPerson()
    const [first, second] = await withTwoPasskeys(ada)
    const asked = await c.ask(ada)
    const extra = await c.post(ada, asked, { act: 'passkey', answer: first.get(optionsOf(asked)), add: 'yes' })
    expect(titleOf(extra)).toBe('Add a second factor')
    const elsewhere = { ...ada, browser: aPlainBrowser({ issuer, url: c.broker.url }) }
    const listed = await prove(elsewhere, await c.visit(elsewhere), first)
    const removed = await c.postVisit(elsewhere, await removalOf(elsewhere, listed, 0))
    expect(titleOf(removed)).toBe(asks)
    const skipped = await c.post(ada, extra, { act: 'skip' })
    expect([isGranted(skipped), titleOf(skipped)]).toEqual([false, asks])
    expect((await c.answer(ada, skipped, first)).status).toBe(400)
    expect(isGranted(await c.answer(ada, await c.ask(ada), second))).toBe(true)
    expect((await c.trailOf(ada)).filter((line) => line === 'removed')).toHaveLength(1)
  })
  it('is not the last one', async () => {
    const ada = c.aPerson()
    const { device } = await c.withPasskey(ada)
    const page = await prove(ada, await c.visit(ada), device)
    expect(page.text.includes('It is the only one')).toBe(true)
    const refused = await c.postVisit(ada, await removalOf(ada, page, 0))
    expect([refused.status, titleOf(refused), (await c.trailOf(ada)).at(-1)]).toEqual([403, mine, refusedFor('factor_last')])
    expect(await kindsOf(ada)).toEqual(['passkey'])
  })
  it('is not a passkey, for a code of an app', async () => {
    const ada = c.aPerson()
    const { key } = await c.withApp(ada)
    const page = await enter(ada, await c.visit(ada), key)
    const offered = await view(ada, visitOf(page), '&step=add')
    await c.postVisit(ada, { ...formThat('enrol_passkey', offered), answer: aPasskey(origin).create(optionsOf(offered)) })
    c.wait(30)
    const again = await enter(ada, await c.visit(ada), key)
    const refused = await c.postVisit(ada, await removalOf(ada, again, 1))
    expect([refused.status, (await c.trailOf(ada)).at(-1)]).toEqual([403, refusedFor('factor_too_weak')])
    expect(await kindsOf(ada)).toEqual(['totp', 'passkey'])
  })
  it('is not older than the one that was shown, until a day after that was added', async () => {
    const ada = c.aPerson()
    const [, young] = await withTwoPasskeys(ada)
    const page = await prove(ada, await c.visit(ada), young)
    const refused = await c.postVisit(ada, await removalOf(ada, page, 0))
    expect([refused.status, (await c.trailOf(ada)).at(-1)]).toEqual([403, refusedFor('factor_too_young')])
    c.wait(86_400)
    const later = await prove(ada, await c.visit(ada), young)
    await c.postVisit(ada, await removalOf(ada, later, 0))
    expect(await kindsOf(ada)).toEqual(['passkey'])
  })
  it('leaves one, though two are taken away at once at two processes', async () => {
    for (let round = 0; round < 5; round += 1) {
      const ada = c.aPerson()
      const [first] = await withTwoPasskeys(ada)
      const page = await prove(ada, await c.visit(ada), first)
      const [one, another] = [await removalOf(ada, page, 0), await removalOf(ada, page, 1)]
      await Promise.all([c.postVisit(ada, one), c.postVisit(c.atOther(ada), another)])
      expect(await kindsOf(ada)).toHaveLength(1)
    }
  })
  it('is taken away once, and by nothing but the form that showed it', async () => {
    const ada = c.aPerson()
    const [first] = await withTwoPasskeys(ada)
    const page = await prove(ada, await c.visit(ada), first)
    const form = await removalOf(ada, page, 1)
    const [other] = await factorsOf(ada)
    const forged = [
      { ...form, proof: '' },
      { ...form, factor: other?.id ?? '' },
      { ...form, proof: formThat('remove', await view(ada, visitOf(page), `&remove=${other?.id}`))['proof'] ?? '' },
      { ...formThat('enrol_totp', await view(ada, visitOf(page), '&step=add')), act: 'remove', factor: form['factor'] ?? '' },
    ]
    for (const fields of forged) expect(codeOf(await c.postVisit(ada, fields))).toBe('step_proof_invalid')
    expect(await factorsOf(ada)).toHaveLength(2)
    expect(titleOf(await c.postVisit(ada, form))).toBe(mine)
    const twice = await c.postVisit(ada, form)
    expect([twice.status, (await c.trailOf(ada)).at(-1)]).toEqual([400, refusedFor('factor_gone')])
  })
})

describe('a visit is nobody else’s', () => {
  it('of another browser, of another person in this one, or of another tenant', async () => {
    const [ada, ben] = [c.aPerson(), c.aPerson()]
    const [first] = await withTwoPasskeys(ada)
    const page = await prove(ada, await c.visit(ada), first)
    const form = await removalOf(ada, page, 1)
    await c.withPasskey(ben)
    expect(codeOf(await c.postVisit(ben, form))).toBe('factor_visit_over')
    // The session of Ada, but not the browser that began.
    const stolen = aPlainBrowser({ issuer, url: c.broker.url })
    for (const [name, value] of ada.browser.jar) if (name.includes('session')) stolen.jar.set(name, value)
    await stolen.visit(`${issuer}/factors`)
    expect(codeOf(await stolen.visit(`${issuer}/factors`, form))).toBe('factor_visit_over')
    await aCompany(c.fixture, 'globex', c.now())
    const atGlobex = issuer.replace('acme', 'globex')
    expect((await c.call('PUT', '/tenants/globex/second-factor', { mode: 'on' })).status).toBe(200)
    for (const [name, value] of ada.browser.jar) ada.browser.jar.set(name.replace('acme', 'globex'), value)
    expect(codeOf(await ada.browser.visit(`${atGlobex}/factors`, form))).toBe('factor_visit_over')
    expect(codeOf(await ada.browser.visit(`${atGlobex}/factors?visit=${visitOf(page)}`))).toBe('factor_visit_over')
    // Ben signs in where Ada was.
    await c.visit({ ...ben, browser: ada.browser })
    expect(codeOf(await c.postVisit(ada, form))).toBe('factor_visit_over')
    expect(await factorsOf(ada)).toHaveLength(2)
  })
  it('and ends with a reset, or with her session', async () => {
    const ada = c.aPerson()
    const [first] = await withTwoPasskeys(ada)
    const page = await prove(ada, await c.visit(ada), first)
    const offered = await view(ada, visitOf(page), '&step=add')
    await c.reset(ada)
    const late = { ...formThat('enrol_totp', offered), key: hidden(offered.text, 'key'), code: appShows(keyOf(offered), c.now()) }
    expect(codeOf(await c.postVisit(ada, late))).toBe('factor_visit_over')
    expect(await factorsOf(ada)).toEqual([])
  })
  it('takes an answer and a code once, and counts what is guessed', async () => {
    const ada = c.aPerson()
    const { key } = await c.withApp(ada)
    const page = await c.visit(ada)
    const code = appShows(key, c.now())
    expect(titleOf(await c.postVisit(ada, { ...formThat('totp', page), code }))).toBe(mine)
    const again = await c.postVisit(ada, { ...formThat('totp', page), code })
    expect([again.status, (await c.trailOf(ada)).at(-1)]).toEqual([400, refusedFor('factor_step_used')])
    const statuses: number[] = []
    for (let guess = 0; guess < 6; guess += 1) statuses.push((await c.postVisit(ada, { ...formThat('totp', page), code: '000000' })).status)
    expect(statuses.at(-1)).toBe(429)
    const ben = c.aPerson()
    const { device } = await c.withPasskey(ben)
    const asked = await c.visit(ben)
    const answer = { ...formThat('passkey', asked), answer: device.get(optionsOf(asked)) }
    expect(titleOf(await c.postVisit(ben, answer))).toBe(mine)
    await c.postVisit(ben, answer)
    expect((await c.trailOf(ben)).at(-1)).toBe(refusedFor('passkey_challenge_over'))
  })
  it('is opened by no sign-in that a sign-out has ended meanwhile', async () => {
    const ada = c.aPerson()
    await c.withPasskey(ada)
    const begin = await ada.browser.visit(`${issuer}/factors`)
    const left = await ada.browser.visit(`${issuer}/factors/sign-in`, {
      proof: hidden(begin.text, 'proof'),
      connection: c.acme.connectionId,
    })
    const out = await ada.browser.visit(`${issuer}/logout`)
    await ada.browser.visit(`${issuer}/logout`, { proof: hidden(out.text, 'proof') })
    expect((await c.walk(ada, left)).status).toBe(400)
  })
})
