/** Whom the guard believes: no condemned key, and no issuer about another one. */
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { type AnIssuer, anIssuer, resource } from '../test/an-issuer.js'
import { eventually, reasonOf } from '../test/verdicts.js'
import { createGuard, type Guard, type GuardOptions } from './create-guard.js'

const issuerUrl = 'https://login.example/t/acme'
let nowMs = 0
let issuer: AnIssuer
const started: Guard[] = []
const now = () => nowMs

beforeEach(async () => {
  nowMs = Date.now()
  issuer = await anIssuer({ issuer: issuerUrl, tenant: 'acme', now })
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((guard) => guard.stop()))
})

function aGuard(over: Partial<GuardOptions> = {}): Guard {
  const guard = createGuard({
    resource,
    issuers: [{ issuer: issuerUrl, credential: { id: 'id', secret: 'dbx_secret' } }],
    toolScopes: { search: ['documents:read'], write: ['documents:write'] },
    onDeaf: 'refuse',
    fetch: issuer.fetch,
    now,
    ...over,
  })
  started.push(guard)
  return guard
}
async function aStartedGuard(over: Partial<GuardOptions> = {}): Promise<Guard> {
  const guard = aGuard(over)
  await guard.start()
  return guard
}
/** The guard and `jose` ask by strings. */
const urlOf = (input: unknown): string => (typeof input === 'string' ? input : '')

describe('a condemned key', () => {
  it('is believed no longer at once, though its set is cached, and what the new key signs passes', async () => {
    const guard = await aStartedGuard()
    const [old, token] = [issuer.tokenKey, await issuer.signToken()]
    await issuer.replaceTokenKey()
    expect(await reasonOf(guard, token)).toBe('let through')
    expect(issuer.fetched['/jwks']).toBe(1)
    issuer.unpublish(old.kid)
    const notice = await issuer.signCondemnation(old.kid)
    issuer.push({ [notice.jti]: notice.token })
    await eventually(async () => (await reasonOf(guard, token)) === 'token_key_condemned')
    await eventually(() => issuer.polls.some((poll) => poll.ack.includes(notice.jti)))
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
    expect(issuer.fetched['/jwks']).toBe(2)
  })

  it('stays refused while its issuer still publishes it, or cannot be asked', async () => {
    const troubles: string[] = []
    let isBroken = false
    const fetchBroken: typeof fetch = async (input, init) => {
      if (isBroken && urlOf(input) === `${issuerUrl}/jwks`) throw new TypeError('fetch failed')
      return issuer.fetch(input, init)
    }
    const guard = await aStartedGuard({ fetch: fetchBroken, onTrouble: (_issuer, trouble) => troubles.push(trouble) })
    const token = await issuer.signToken()
    expect(await reasonOf(guard, token)).toBe('let through')
    isBroken = true
    const notice = await issuer.signCondemnation(issuer.tokenKey.kid)
    issuer.push({ [notice.jti]: notice.token })
    await eventually(async () => (await reasonOf(guard, token)) === 'token_key_condemned')
    await eventually(() => troubles.some((trouble) => trouble.includes('fetched anew')))
    isBroken = false
    expect(await reasonOf(guard, token)).toBe('token_key_condemned')
  })

  it('is known from the snapshot to a guard that starts later', async () => {
    issuer.condemnedKeys = [issuer.tokenKey.kid]
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken())).toBe('token_key_condemned')
  })

  it('of notices proves no notice any more', async () => {
    const guard = await aStartedGuard()
    const warm = await issuer.signNotice({ target: 'subject', targetId: 'nobody', epoch: 2 })
    issuer.push({ [warm.jti]: warm.token })
    await eventually(() => issuer.polls.some((poll) => poll.ack.includes(warm.jti)))
    const condemnation = await issuer.signCondemnation(issuer.noticeKey.kid)
    const forged = await issuer.signNotice({ target: 'subject', targetId: 'ada', epoch: 9 })
    issuer.push({ [condemnation.jti]: condemnation.token, [forged.jti]: forged.token })
    await eventually(() => issuer.polls.some((poll) => forged.jti in poll.setErrs))
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
  })

  test.each([undefined, '', 7, 'k'.repeat(201)])('without a proper id (%p) in the notice condemns nothing', async (kid) => {
    const guard = await aStartedGuard()
    const notice = await issuer.signCondemnation(kid)
    issuer.push({ [notice.jti]: notice.token })
    await eventually(() => issuer.polls.some((poll) => notice.jti in poll.setErrs))
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
  })
})

describe('the front issuer', () => {
  const front = { issuer: 'https://login.example', front: true, credential: { id: 'id', secret: 'dbx_secret' } } as const

  it('says for which tenant each of its tokens is, and one that says none, or no name, is refused', async () => {
    issuer = await anIssuer({ issuer: front.issuer, tenant: 'acme', now })
    const guard = await aStartedGuard({ issuers: [front], fetch: issuer.fetch })
    for (const tenant of ['acme', 'globex']) {
      const judged = await guard.check(`Bearer ${await issuer.signToken({ tenant })}`)
      expect(judged.ok && judged.value.tenant).toBe(tenant)
    }
    for (const tenant of ['', 'Acme', 'a/b', 7, ['acme'], null])
      expect(await reasonOf(guard, await issuer.signToken({ tenant }))).toBe('token_of_other_tenant')
    expect(await reasonOf(guard, await issuer.signToken({ tenant: undefined }))).not.toBe('let through')
  })

  it('that owes news of one tenant makes its guard deaf for that one alone, and for all where it does not say for whom', async () => {
    issuer = await anIssuer({ issuer: front.issuer, tenant: 'acme', now })
    const guard = await aStartedGuard({ issuers: [front], fetch: issuer.fetch })
    const judged = () => Promise.all(['acme', 'globex'].map(async (tenant) => reasonOf(guard, await issuer.signToken({ tenant }))))
    const later = async (seconds: number, owes: AnIssuer['owes']) => {
      nowMs += seconds * 1000
      issuer.owes = owes
      const count = issuer.polls.length
      issuer.push({})
      await eventually(() => issuer.polls.length > count)
    }
    await later(0, undefined)
    await later(40, ['acme'])
    expect(await judged()).toEqual(['let through', 'let through'])
    await later(21, ['acme', 'initech'])
    expect(await judged()).toEqual(['deaf', 'let through'])
    await later(1, ['initech'])
    expect(await judged()).toEqual(['let through', 'let through'])
    await later(61, true)
    expect(await judged()).toEqual(['deaf', 'deaf'])
  })

  it('that owes news of one tenant when its stream is opened leaves that one alone unheard, until a poll says otherwise', async () => {
    issuer = await anIssuer({ issuer: front.issuer, tenant: 'acme', now })
    issuer.owes = ['acme']
    const guard = await aStartedGuard({ issuers: [front], fetch: issuer.fetch })
    const judged = () => Promise.all(['acme', 'globex'].map(async (tenant) => reasonOf(guard, await issuer.signToken({ tenant }))))
    expect(await judged()).toEqual(['deaf', 'let through'])
    issuer.push({})
    await eventually(() => issuer.polls.length > 1)
    expect(await judged()).toEqual(['deaf', 'let through'])
    issuer.owes = undefined
    issuer.push({})
    await eventually(async () => (await judged())[0] === 'let through')
  })

  it('is bound to no tenant, and an issuer of one tenant to that one alone', async () => {
    expect(() => aGuard({ issuers: [{ ...front, tenant: 'acme' }] })).toThrow('not both')
    const { front: _front, ...nameless } = front
    expect(() => aGuard({ issuers: [nameless] })).toThrow('say which tenant')
    const guard = await aStartedGuard()
    expect(await reasonOf(guard, await issuer.signToken({ tenant: 'globex' }))).toBe('token_of_other_tenant')
  })
})

describe('two trusted issuers', () => {
  const otherUrl = 'https://login.example/t/globex'
  let other: AnIssuer
  let guard: Guard
  const both: typeof fetch = (input, init) => (urlOf(input).startsWith(otherUrl) ? other : issuer).fetch(input, init)
  const trusted = () => [issuerUrl, otherUrl].map((url) => ({ issuer: url, credential: { id: 'id', secret: 'dbx_secret' } }))
  const aGuardOfBoth = async (onTrouble: (trouble: string) => void) => {
    guard = await aStartedGuard({ issuers: trusted(), fetch: both, onTrouble: (_issuer, trouble) => onTrouble(trouble) })
  }
  const start = () => aGuardOfBoth(() => {})
  beforeEach(async () => {
    other = await anIssuer({ issuer: otherUrl, tenant: 'globex', now })
  })

  it('the snapshot of one raises no barrier for the other, whatever it claims', async () => {
    other.snapshot = { globex: { subject: { 9: ['ada', 'max'] } } }
    await start()
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
    expect(await reasonOf(guard, await other.signToken({ sub: 'max' }))).toBe('token_below_barrier')
  })

  it('nor does it speak for the tenant of the other: such a snapshot is none', async () => {
    const troubles: string[] = []
    other.snapshot = { acme: { subject: { 9: ['ada'] }, tenant: { 9: ['acme'] } }, globex: { subject: { 9: ['max'] } } }
    const ready = aGuardOfBoth((trouble) => troubles.push(trouble))
    await eventually(() => troubles.includes('the snapshot is malformed'))
    other.snapshot = {}
    await ready
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
    expect(await reasonOf(guard, await other.signToken({ sub: 'max' }))).toBe('let through')
  })

  it('one condemns no key of the other', async () => {
    other.condemnedKeys = [issuer.tokenKey.kid]
    await start()
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
    expect(await reasonOf(guard, await other.signToken())).toBe('token_key_condemned')
  })

  it('a true notice of one takes nothing away when the other delivers it', async () => {
    await start()
    const notices = [await issuer.signNotice({ target: 'subject', targetId: 'ada', epoch: 9 }), await issuer.signCondemnation('t1')]
    other.push(Object.fromEntries(notices.map(({ jti, token }) => [jti, token])))
    await eventually(() => other.opened.length === 2)
    expect(other.polls.flatMap((poll) => Object.values(poll.setErrs))).toEqual([
      expect.objectContaining({ err: 'invalid_issuer' }),
      expect.objectContaining({ err: 'invalid_issuer' }),
    ])
    expect(await reasonOf(guard, await issuer.signToken())).toBe('let through')
  })
})
