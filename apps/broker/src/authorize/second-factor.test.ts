/** A factor of ours beside a sign-in that the IdP cannot strengthen: what it opens, what a grant keeps of it, and every way in which it must not be believed. */
import { randomUUID } from 'node:crypto'
import { type FactorRefusal, factorErrors } from '@drawbridge/core/factor/error'
import type { TestBroker } from '@drawbridge/testkit/a-broker'
import {
  aFactorCompany,
  type FactorCompany,
  formOf,
  isGranted,
  issuer,
  keyOf,
  optionsOf,
  origin,
  titleOf,
} from '@drawbridge/testkit/a-factor-company'
import { aVerifier } from '@drawbridge/testkit/a-grant'
import { type APage, aWebRedirectUri, hidden } from '@drawbridge/testkit/a-login'
import { aPasskey, type PasskeyLie } from '@drawbridge/testkit/a-passkey'
import { appShows } from '@drawbridge/testkit/an-authenticator-app'
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'

let c: FactorCompany
beforeAll(async () => {
  c = await aFactorCompany()
})
afterAll(() => c?.close())
beforeEach(() => c.begin())

const refusedFor = (reason: FactorRefusal): string => `refused ${reason}`

describe('where the tenant has not switched it on', () => {
  it('nothing is different: the IdP is asked, and then she is told what is missing', async () => {
    await c.set({ mode: 'off' })
    const page = await c.ask(c.aPerson())
    expect([titleOf(page), c.idp.started.length]).toEqual(['A second factor is needed', 2])
  })
  it('nor is it at a connection that is not listed, where only those are', async () => {
    await c.set({ mode: 'where_unproven', cannotProve: [] })
    expect(titleOf(await c.ask(c.aPerson()))).toBe('A second factor is needed')
  })
  it('what she enrolled before is asked of nobody', async () => {
    const ada = c.aPerson()
    await c.withPasskey(ada)
    await c.set({ mode: 'off' })
    expect(titleOf(await c.ask(ada))).toBe('A second factor is needed')
  })
})

describe('a person without a factor', () => {
  it('enrols a passkey with the code of an admin, shows it, and is granted what she asked for', async () => {
    const ada = c.aPerson()
    const { device, page } = await c.withPasskey(ada)
    expect([titleOf(page), c.idp.started.map(({ stepUpAcr }) => stepUpAcr)]).toEqual(['Show that it is you', [undefined, 'mfa']])
    const done = await c.answer(ada, page, device)
    expect(isGranted(done)).toBe(true)
    expect(await c.trailOf(ada)).toEqual(['code_created', 'code_used', 'enrolled', 'proved'])
  })
  it('enrols an app in the same way, without a script', async () => {
    const ada = c.aPerson()
    const { key, page } = await c.withApp(ada)
    expect(titleOf(page)).toBe('Show that it is you')
    expect(isGranted(await c.enter(ada, page, key))).toBe(true)
  })
  it('does not get by with a password beside a code where the IdP has named none', async () => {
    await c.demand('multi_factor')
    const ada = c.aPerson()
    const page = await c.ask(ada, {}, [])
    const offered = await c.post(ada, page, { act: 'redeem', code: await c.codeFor(ada) })
    expect(offered.text).toContain('A passkey')
    expect(keyOf(offered)).toBe('')
  })
  it('sees the key of an app once: it is sealed in its row, and on no later page', async () => {
    const ada = c.aPerson()
    const { key, page } = await c.withApp(ada)
    const [row] = await c.owner<{ sealed_secret: Buffer }>(
      'SELECT sealed_secret FROM factors WHERE subject_id = $1',
      await c.subjectOf(ada),
    )
    for (const text of [page.text, row?.sealed_secret.toString('latin1'), JSON.stringify(await c.owner('SELECT * FROM audit_events'))])
      expect(text).not.toContain(key)
  })
  it('who mistypes the first code of her app is shown the same key', async () => {
    const ada = c.aPerson()
    const offered = await c.toEnrolment(ada)
    const again = await c.post(ada, offered, { act: 'enrol_totp', key: hidden(offered.text, 'key'), code: '000000' })
    expect([again.status, keyOf(again), (await c.trailOf(ada)).at(-1)]).toEqual([400, keyOf(offered), refusedFor('totp_not_enrolled')])
  })
})

describe('what a grant keeps of it', () => {
  const redeem = async (page: APage) => {
    const form = {
      grant_type: 'authorization_code',
      code: new URL(page.location).searchParams.get('code') ?? '',
      redirect_uri: aWebRedirectUri,
      client_id: c.acme.clientId,
      code_verifier: aVerifier,
      resource: c.acme.resource,
    }
    const response = await fetch(`${c.broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })
    expect([response.status, titleOf(page)]).toEqual([200, ''])
    return (await response.json()) as { access_token: string; refresh_token: string }
  }
  const refresh = async (token: string) => {
    const form = { grant_type: 'refresh_token', refresh_token: token, client_id: c.acme.clientId }
    return (await fetch(`${c.broker.url}/t/acme/token`, { method: 'POST', body: new URLSearchParams(form) })).status
  }
  it.each(['passkey', 'totp'] as const)('a refresh knows the %s, also when policy decides again', async (kind) => {
    const ada = c.aPerson()
    let done: APage
    if (kind === 'passkey') {
      const { device, page } = await c.withPasskey(ada)
      done = await c.answer(ada, page, device)
    } else {
      const { key, page } = await c.withApp(ada)
      done = await c.enter(ada, page, key)
    }
    const tokens = await redeem(done)
    const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1] ?? '', 'base64url').toString())
    expect(claims.amr).toEqual(kind === 'passkey' ? ['pwd', 'pop', 'user'] : ['pwd', 'otp'])
    const [grant] = await c.owner('SELECT amr, own_methods FROM grants WHERE subject_id = $1', await c.subjectOf(ada))
    expect(grant).toEqual({ amr: ['pwd'], own_methods: claims.amr.slice(1) })
    // A policy that is new makes the refresh decide again.
    await c.demand(kind === 'passkey' ? 'phishing_resistant' : 'multi_factor')
    expect(await refresh(tokens.refresh_token)).toBe(200)
  })
  it('a refresh is refused once policy demands what a code of an app never is', async () => {
    const ada = c.aPerson()
    const { key, page } = await c.withApp(ada)
    const tokens = await redeem(await c.enter(ada, page, key))
    await c.demand('phishing_resistant')
    expect(await refresh(tokens.refresh_token)).toBe(400)
  })
})

describe('a connection that cannot prove a second factor', () => {
  it('is not asked for one: a passkey is, beside the session that there is', async () => {
    await c.set({ mode: 'where_unproven', cannotProve: [c.acme.connectionId] })
    const ada = c.aPerson()
    const { device, page } = await c.withPasskey(ada)
    expect(isGranted(await c.answer(ada, page, device))).toBe(true)
    c.wait(1200)
    const again = await c.ask(ada)
    expect([titleOf(again), c.idp.started.map(({ stepUpAcr }) => stepUpAcr)]).toEqual(['Show that it is you', [undefined]])
    expect(isGranted(await c.answer(ada, again, device))).toBe(true)
  })
  it('is asked to sign her in anew where a code has to stand beside something fresh', async () => {
    await c.set({ mode: 'on', cannotProve: [c.acme.connectionId] })
    const ada = c.aPerson()
    const { key, page } = await c.withApp(ada)
    expect(isGranted(await c.enter(ada, page, key))).toBe(true)
    c.wait(1200)
    const again = await c.ask(ada)
    expect([titleOf(again), c.idp.started.map(({ stepUpAcr }) => stepUpAcr)]).toEqual(['Show that it is you', [undefined, undefined]])
    expect(isGranted(await c.enter(ada, again, key))).toBe(true)
  })
  it('a client that wants no page hears that one is needed', async () => {
    await c.set({ mode: 'where_unproven', cannotProve: [c.acme.connectionId] })
    const ada = c.aPerson()
    await c.withPasskey(ada)
    expect((await c.ask(ada, { prompt: 'none' })).location).toContain('error=interaction_required')
  })
})

describe('a proof', () => {
  it('opens one grant: the next request asks for one of its own', async () => {
    const ada = c.aPerson()
    const { device, page } = await c.withPasskey(ada)
    expect(isGranted(await c.answer(ada, page, device))).toBe(true)
    const next = await c.ask(ada)
    expect(titleOf(next)).toBe('Show that it is you')
    // The answer of before, and the page of before, open nothing.
    expect(isGranted(await c.answer(ada, page, device))).toBe(false)
    expect(isGranted(await c.post(ada, next, { act: 'passkey', answer: device.get(optionsOf(page)) }))).toBe(false)
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('passkey_unverified'))
  })
  it('of one tab is none of another, and both may be shown', async () => {
    await c.set({ mode: 'on', cannotProve: [c.acme.connectionId] })
    const ada = c.aPerson()
    const { device } = await c.withPasskey(ada)
    const [one, two] = [await c.ask(ada), await c.ask(ada)]
    const swapped = await c.post(ada, two, { act: 'passkey', answer: device.get(optionsOf(one)) })
    expect([swapped.status, (await c.trailOf(ada)).at(-1)]).toEqual([400, refusedFor('passkey_unverified')])
    // What it was for still waits; the page of the c.other one asks anew.
    expect(isGranted(await c.answer(ada, one, device))).toBe(true)
    expect(isGranted(await c.answer(ada, swapped, device))).toBe(true)
  })
  it('is nobody else’s in the same browser: a sign-in of another person begins anew', async () => {
    const [ada, ben] = [c.aPerson(), c.aPerson()]
    const { device, page } = await c.withPasskey(ada)
    // Ben signs in beside her, in her browser.
    await c.ask({ sub: ben.sub, browser: ada.browser }, { prompt: 'login' })
    const tried = await ada.browser.visit(`${issuer}/authorize/second-factor`, {
      ...formOf(page),
      act: 'passkey',
      answer: device.get(optionsOf(page)),
    })
    expect([tried.status, isGranted(tried)]).toEqual([400, false])
  })
  it('needs the page’s own form, in the browser that was asked', async () => {
    const [ada, mallory] = [c.aPerson(), c.aPerson()]
    const { device, page } = await c.withPasskey(ada)
    const fields = { act: 'passkey', answer: device.get(optionsOf(page)) }
    const forged = await ada.browser.visit(`${issuer}/authorize/second-factor`, {
      ...formOf(page),
      proof: '1.' + 'A'.repeat(43),
      ...fields,
    })
    await c.ask(mallory)
    const stolen = await mallory.browser.visit(`${issuer}/authorize/second-factor`, { ...formOf(page), ...fields })
    expect([forged, stolen].map(isGranted)).toEqual([false, false])
    expect(isGranted(await c.post(ada, page, fields))).toBe(true)
  })
})

describe('a passkey', () => {
  const lies: readonly (readonly [string, PasskeyLie, FactorRefusal])[] = [
    ['with nobody verified', { flags: 0x01 }, 'passkey_unverified'],
    ['for a page of another origin', { origin: 'https://login.example' }, 'passkey_unverified'],
    ['for another relying party', { rpId: 'evil.example' }, 'passkey_unverified'],
    ['from a frame', { crossOrigin: true }, 'passkey_unverified'],
    ['in the name of another person', { userHandle: Buffer.from(randomUUID()).toString('base64url') }, 'passkey_unverified'],
    ['that nobody knows', { credentialId: 'AAAA' }, 'passkey_unknown'],
  ]
  test.each(lies)('is refused %s', async (_, lie, reason) => {
    const ada = c.aPerson()
    const { device, page } = await c.withPasskey(ada)
    const tried = await c.answer(ada, page, device, lie)
    expect([tried.status, (await c.trailOf(ada)).at(-1)]).toEqual([400, refusedFor(reason)])
    expect(isGranted(await c.answer(ada, tried, device))).toBe(true)
  })
  it('of another person of the company is none of hers', async () => {
    const [ada, ben] = [c.aPerson(), c.aPerson()]
    const { page } = await c.withPasskey(ada)
    const { device } = await c.withPasskey(ben)
    expect((await c.answer(ada, page, device)).status).toBe(400)
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('passkey_unknown'))
  })
  it('whose counter has been seen before is refused, and the trail says so', async () => {
    const ada = c.aPerson()
    const { device, page } = await c.withPasskey(ada)
    expect(isGranted(await c.answer(ada, page, device, { counter: 9 }))).toBe(true)
    for (const counter of [9, 8, 0]) expect((await c.answer(ada, await c.ask(ada), device, { counter })).status).toBe(400)
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('passkey_counter_back'))
    expect(isGranted(await c.answer(ada, await c.ask(ada), device, { counter: 10 }))).toBe(true)
  })
  it('answers a challenge once, at whatever process, and within five minutes', async () => {
    const ada = c.aPerson()
    const { device, page } = await c.withPasskey(ada)
    const fields = { ...formOf(page), act: 'passkey', answer: device.get(optionsOf(page)) }
    const cookie = [...ada.browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const send = (at: TestBroker) =>
      fetch(`${at.url}/t/acme/authorize/second-factor`, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { cookie },
        redirect: 'manual',
      })
    const outcomes = await Promise.all([send(c.broker), send(c.other), send(c.broker), send(c.other)])
    expect(outcomes.filter(({ status }) => status === 303)).toHaveLength(1)
    const late = await c.ask(ada)
    const tooLate = device.get(optionsOf(late))
    c.wait(301)
    await c.post(ada, late, { act: 'passkey', answer: tooLate })
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('passkey_challenge_over'))
  })
  it('of another RP ID is not asked for, and no code helps: an admin resets', async () => {
    const ada = c.aPerson()
    await c.withPasskey(ada)
    await c.owner("UPDATE factors SET rp_id = 'old.example' WHERE subject_id = $1", await c.subjectOf(ada))
    const page = await c.ask(ada)
    expect(page.text).not.toContain('data-options')
    expect(await c.codeFor(ada)).toBeUndefined()
  })
})

describe('a code of an app', () => {
  it('is worth one use, also for another request', async () => {
    await c.set({ mode: 'on', cannotProve: [c.acme.connectionId] })
    const ada = c.aPerson()
    const { key, page } = await c.withApp(ada)
    const code = appShows(key, c.now())
    const second = await c.ask(ada)
    expect(isGranted(await c.post(ada, page, { act: 'totp', code }))).toBe(true)
    const replayed = await c.post(ada, second, { act: 'totp', code })
    expect([replayed.status, (await c.trailOf(ada)).at(-1)]).toEqual([400, refusedFor('factor_step_used')])
    c.wait(30)
    expect(isGranted(await c.enter(ada, replayed, key))).toBe(true)
  })
  it('that enrolled the app is used, and so is every one before the last', async () => {
    const ada = c.aPerson()
    const offered = await c.toEnrolment(ada)
    const key = keyOf(offered)
    const code = appShows(key, c.now())
    const page = await c.post(ada, offered, { act: 'enrol_totp', key: hidden(offered.text, 'key'), code })
    await c.post(ada, page, { act: 'totp', code })
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('factor_step_used'))
  })
  it('is guessed a few times and not again, whichever process is asked and however many guesses come at once', async () => {
    const ada = c.aPerson()
    const { key, page } = await c.withApp(ada)
    const cookie = [...ada.browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const guess = (at: TestBroker, code: string) =>
      fetch(`${at.url}/t/acme/authorize/second-factor`, {
        method: 'POST',
        body: new URLSearchParams({ ...formOf(page), act: 'totp', code }),
        headers: { cookie },
        redirect: 'manual',
      })
    const wrong = appShows(key, c.now()) === '000000' ? '000001' : '000000'
    const statuses = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => (await guess(n % 2 === 0 ? c.broker : c.other, wrong)).status),
    )
    expect(statuses.filter((status) => status === 400)).toHaveLength(5)
    expect(statuses.filter((status) => status === 429)).toHaveLength(7)
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('factor_code_wrong')) // what was not judged leaves no line
    // Now even the right one has to wait.
    expect((await guess(c.other, appShows(key, c.now()))).status).toBe(429)
    c.wait(30)
    expect((await guess(c.broker, wrong)).status).toBe(400)
    expect((await guess(c.broker, appShows(key, c.now()))).status).toBe(429)
    for (let n = 0; n < 30; n += 1) {
      c.wait(3601)
      await c.owner('UPDATE factor_guesses SET next_at = $2 WHERE subject_id = $1', await c.subjectOf(ada), new Date(c.now()))
      const next = await c.ask(ada)
      await c.post(ada, next, { act: 'totp', code: wrong })
    }
    expect(
      (await c.owner<{ guesses: number }>('SELECT guesses FROM factor_guesses WHERE subject_id = $1', await c.subjectOf(ada)))[0]?.guesses,
    ).toBe(20)
    c.wait(86_400)
    const stopped = await c.enter(ada, await c.ask(ada), key)
    expect([stopped.status, stopped.text.includes(factorErrors['factor_guesses_spent'].say.slice(1))]).toEqual([429, true])
    expect((await c.trailOf(ada)).filter((line) => line === refusedFor('factor_code_wrong'))).toHaveLength(20)
  })
  it('that is right forgets the wrong ones', async () => {
    const ada = c.aPerson()
    const { key, page } = await c.withApp(ada)
    const again = await c.post(ada, page, { act: 'totp', code: 'x' })
    expect(isGranted(await c.enter(ada, again, key))).toBe(true)
    expect(await c.owner('SELECT 1 FROM factor_guesses WHERE subject_id = $1', await c.subjectOf(ada))).toEqual([])
  })
  it('never answers a demand of what cannot be phished', async () => {
    const ada = c.aPerson()
    const { key } = await c.withApp(ada)
    await c.demand('phishing_resistant')
    const page = await c.ask(ada)
    expect(page.text).toContain('This needs a passkey')
    const offered = await c.enter(ada, page, key)
    expect([titleOf(offered), isGranted(offered)]).toEqual(['Add a second factor', false])
    // A passkey that a weaker factor let her enrol does not answer this request, but the next.
    const device = aPasskey(origin)
    const denied = await c.post(ada, offered, { act: 'enrol_passkey', answer: device.create(optionsOf(offered)) })
    expect([titleOf(denied), denied.status]).toEqual(['A second factor is needed', 403])
    expect(isGranted(await c.answer(ada, await c.ask(ada), device))).toBe(true)
  })
})

it('pages allow no script but their own, and are kept by nobody', async () => {
  const ada = c.aPerson()
  await c.withPasskey(ada)
  const { text } = await c.ask(ada)
  const cookie = [...ada.browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const { headers } = await fetch(`${c.broker.url}/t/acme/authorize/second-factor?request=${hidden(text, 'request')}`, {
    headers: { cookie },
  })
  expect(headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[^ ]+'; script-src 'sha256-[^ ]+'; form-action 'self' /,
  )
  expect(headers.get('cache-control')).toBe('no-store')
})
