/** How a person comes by a factor of ours, and loses all of them: what permits an enrolment, and every way in which nothing does. */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import { aFactorCompany, type FactorCompany, isGranted, keyOf, optionsOf, origin, titleOf } from '@drawbridge/testkit/a-factor-company'
import { hidden } from '@drawbridge/testkit/a-login'
import { aPasskey } from '@drawbridge/testkit/a-passkey'
import { appShows } from '@drawbridge/testkit/an-authenticator-app'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let c: FactorCompany
beforeAll(async () => {
  c = await aFactorCompany()
})
afterAll(() => c?.close())
beforeEach(() => c.begin())

const refusedFor = (reason: FactorRefusal): string => `refused ${reason}`

describe('enrolment', () => {
  it('is permitted to nobody by the sign-in alone', async () => {
    const ada = c.aPerson()
    const page = await c.ask(ada)
    const device = aPasskey(origin)
    const created = device.create({ challenge: Buffer.alloc(32).toString('base64url'), rp: { id: 'localhost' } })
    for (const fields of [
      { act: 'enrol_passkey', answer: created },
      { act: 'enrol_totp', key: 'AAAA', code: '000000' },
      { act: 'skip' },
      { act: 'passkey', answer: device.get({ challenge: 'AAAA', rpId: 'localhost' }) },
      { act: 'totp', code: '000000' },
    ])
      expect([fields.act, isGranted(await c.post(ada, page, fields))]).toEqual([fields.act, false])
    expect(await c.owner('SELECT 1 FROM factors WHERE subject_id = $1', await c.subjectOf(ada))).toEqual([])
    expect((await c.trailOf(ada)).filter((line) => line === refusedFor('enrolment_not_permitted'))).toHaveLength(3)
  })
  it('takes no code of another person, of another tenant, of before, or twice', async () => {
    const [ada, ben] = [c.aPerson(), c.aPerson()]
    const page = await c.ask(ada)
    await c.ask(ben)
    const [ofBen, replaced] = [await c.codeFor(ben), await c.codeFor(ada)]
    const living = await c.codeFor(ada)
    const tries = [ofBen, replaced, `${living}X`, '', living.replace(/.$/, (last) => (last === '0' ? '1' : '0'))]
    for (const code of tries) expect((await c.post(ada, page, { act: 'redeem', code })).status).toBe(400)
    expect((await c.trailOf(ada)).filter((line) => line === refusedFor('enrolment_code_wrong'))).toHaveLength(tries.length)
    // Ben's is still his.
    expect(
      await c.owner('SELECT 1 FROM factor_codes WHERE used_at IS NOT NULL AND subject_id = ANY ($1)', [
        await c.subjectOf(ada),
        await c.subjectOf(ben),
      ]),
    ).toEqual([])
  })
  it('takes a code once, within a day, as it was read aloud', async () => {
    const ada = c.aPerson()
    const page = await c.ask(ada)
    const code = await c.codeFor(ada)
    expect(titleOf(await c.post(ada, page, { act: 'redeem', code: code.toLowerCase().replaceAll('-', ' ') }))).toBe('Add a second factor')
    expect((await c.post(ada, await c.ask(ada), { act: 'redeem', code })).status).toBe(400)
    const [ben, bens] = await (async () => {
      const person = c.aPerson()
      await c.ask(person)
      return [person, await c.codeFor(person)] as const
    })()
    c.wait(86_401)
    expect((await c.post(ben, await c.ask(ben), { act: 'redeem', code: bens })).status).toBe(400)
  })
  it('of codes is guessed a few times and not again', async () => {
    const ada = c.aPerson()
    const page = await c.ask(ada)
    const statuses = []
    for (let n = 0; n < 7; n += 1) statuses.push((await c.post(ada, page, { act: 'redeem', code: `0000-0000-0000-000${n}` })).status)
    expect(statuses).toEqual([400, 400, 400, 400, 400, 429, 429])
    expect((await c.post(ada, page, { act: 'redeem', code: await c.codeFor(ada) })).status).toBe(429)
  })
  it('is permitted once by one code, though several try at once', async () => {
    const ada = c.aPerson()
    const offered = await c.toEnrolment(ada)
    const key = keyOf(offered)
    const fields = { act: 'enrol_totp', key: hidden(offered.text, 'key'), code: appShows(key, c.now()) }
    await Promise.all([1, 2, 3].map(() => c.post(ada, offered, fields)))
    expect(await c.owner('SELECT 1 FROM factors WHERE subject_id = $1', await c.subjectOf(ada))).toHaveLength(1)
  })
  it('does not take the key of an app that was offered in another request', async () => {
    const [ada, ben] = [c.aPerson(), c.aPerson()]
    const [adas, bens] = [await c.toEnrolment(ada), await c.toEnrolment(ben)]
    const tried = await c.post(ada, adas, { act: 'enrol_totp', key: hidden(bens.text, 'key'), code: appShows(keyOf(bens), c.now()) })
    expect([tried.status, (await c.trailOf(ada)).at(-1)]).toEqual([400, refusedFor('totp_not_enrolled')])
  })
  it('of a passkey takes only an answer to this page, with the person verified', async () => {
    const ada = c.aPerson()
    const offered = await c.toEnrolment(ada)
    const tried = await c.post(ada, offered, { act: 'enrol_passkey', answer: aPasskey(origin).create(optionsOf(offered), { flags: 0x01 }) })
    expect([tried.status, (await c.trailOf(ada)).at(-1)]).toEqual([400, refusedFor('passkey_not_enrolled')])
    const stale = await c.post(ada, tried, { act: 'enrol_passkey', answer: aPasskey(origin).create(optionsOf(offered)) })
    expect(stale.status).toBe(400)
  })
  it('of the passkey of somebody else is refused', async () => {
    const [ada, ben] = [c.aPerson(), c.aPerson()]
    const { device } = await c.withPasskey(ben)
    const offered = await c.toEnrolment(ada)
    await c.post(ada, offered, { act: 'enrol_passkey', answer: device.create(optionsOf(offered)) })
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('passkey_known'))
    expect(await c.owner('SELECT 1 FROM factors WHERE subject_id = $1', await c.subjectOf(ada))).toEqual([])
  })
  it('by several factors at the IdP helps from the next request on', async () => {
    await c.demand('phishing_resistant')
    const ada = c.aPerson()
    const several = ['pwd', 'otp']
    const offered = await c.ask(ada, {}, several)
    expect(titleOf(offered)).toBe('Add a second factor')
    const device = aPasskey(origin)
    const denied = await c.post(ada, offered, { act: 'enrol_passkey', answer: device.create(optionsOf(offered)) })
    expect([titleOf(denied), isGranted(denied)]).toEqual(['A second factor is needed', false])
    expect(isGranted(await c.answer(ada, await c.ask(ada, {}, several), device))).toBe(true)
  })
  it('of a further factor needs one that she has, and ends at ten', async () => {
    const ada = c.aPerson()
    const { device, page } = await c.withPasskey(ada)
    let offered = await c.post(ada, page, { act: 'passkey', answer: device.get(optionsOf(page)), add: 'yes' })
    expect(titleOf(offered)).toBe('Add a second factor')
    const second = aPasskey(origin)
    expect(isGranted(await c.post(ada, offered, { act: 'enrol_passkey', answer: second.create(optionsOf(offered)) }))).toBe(true)
    expect(isGranted(await c.answer(ada, await c.ask(ada), second))).toBe(true)
    const more = `INSERT INTO factors (tenant_id, id, subject_id, kind, name, enrolled_by, enrolled_in, sealed_secret, last_step, created_at)
      SELECT $1, gen_random_uuid(), $2, 'totp', 'App', 'factor', gen_random_uuid(), '', 0, now() FROM generate_series(1, 8)`
    await c.owner(more, c.acme.tenantId, await c.subjectOf(ada))
    const next = await c.ask(ada)
    offered = await c.post(ada, next, { act: 'passkey', answer: device.get(optionsOf(next)), add: 'yes' })
    await c.post(ada, offered, { act: 'enrol_passkey', answer: aPasskey(origin).create(optionsOf(offered)) })
    expect((await c.trailOf(ada)).at(-1)).toBe(refusedFor('factors_enough'))
  })
  it('may be skipped, and she is granted what she proved herself for', async () => {
    const ada = c.aPerson()
    const { device, page } = await c.withPasskey(ada)
    const offered = await c.post(ada, page, { act: 'passkey', answer: device.get(optionsOf(page)), add: 'yes' })
    expect(isGranted(await c.post(ada, offered, { act: 'skip' }))).toBe(true)
  })
})

describe('after a reset', () => {
  it('the old factor opens nothing, not even for the request that it was about to be shown for', async () => {
    const ada = c.aPerson()
    const { device } = await c.withPasskey(ada)
    const page = await c.ask(ada)
    expect((await c.reset(ada)).body.removed).toBe(1)
    expect(isGranted(await c.answer(ada, page, device))).toBe(false)
    const next = await c.ask(ada)
    expect(titleOf(next)).toBe('Set up a second factor')
    expect(isGranted(await c.post(ada, next, { act: 'passkey', answer: device.get({ challenge: 'AAAA', rpId: 'localhost' }) }))).toBe(false)
  })
  it('a permission to enrol of before is worth nothing', async () => {
    const ada = c.aPerson()
    const offered = await c.toEnrolment(ada)
    await c.reset(ada)
    await c.post(ada, offered, { act: 'enrol_passkey', answer: aPasskey(origin).create(optionsOf(offered)) })
    expect(await c.owner('SELECT 1 FROM factors WHERE subject_id = $1', await c.subjectOf(ada))).toEqual([])
  })
  it('what is privileged waits a day, and nothing else', async () => {
    const ada = c.aPerson()
    await c.withPasskey(ada)
    await c.reset(ada)
    const waits = await c.withPasskey(ada)
    expect(isGranted(await c.answer(ada, waits.page, waits.device))).toBe(true)
    const scopesOf = async (scope: string) => {
      const asked = await c.ask(ada, { scope, prompt: 'login' })
      const done = titleOf(asked) === 'Show that it is you' ? await c.answer(ada, asked, waits.device) : asked
      return [titleOf(done), done.text.includes('your second factor was reset lately')]
    }
    expect(await scopesOf('purge')).toEqual(['You have no access to this', true])
    c.wait(86_400)
    expect(await scopesOf('purge')).toEqual([expect.stringMatching(/^Allow /), false])
  })
})
