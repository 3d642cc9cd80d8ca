import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RecordedLoginId, Scope } from '../tenant/ids.js'
import { policyLimits } from './error.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'
import { recordedLoginLimits } from './recorded-login.js'
import { type Replayed, replayEffects, replayLimits, replayLogin, reportReplay } from './replay.js'

const grant = (scopes: string, rest = '') => aPolicy(`rules: [{ name: all, effect: grant, scopes: [${scopes}], everyone: true }]\n${rest}`)
const [read, write] = ['"orders:read"', '"orders:write"']

describe('one login', () => {
  test.each([
    [
      'a scope more',
      grant(read),
      grant(`${read}, ${write}`),
      {},
      { effects: ['livesShorter', 'gains'], gained: ['orders:write'], lost: [] },
    ],
    [
      'a scope less',
      grant(`${read}, ${write}`),
      grant(read),
      {},
      { effects: ['loses', 'livesLonger'], gained: [], lost: ['orders:write'] },
    ],
    ['nothing any more', grant(read), grant('"none"'), {}, { effects: ['shutOut', 'loses'], gained: [], lost: ['orders:read'] }],
    ['something at last', grant('"none"'), grant(read), {}, { effects: ['letIn', 'gains'], gained: ['orders:read'], lost: [] }],
    ['a second factor', grant(read), grant(read, 'mfa: [{ tiers: [read] }]'), {}, { effects: ['asked'], gained: [], lost: [] }],
    ['no second factor', grant(read, 'mfa: [{ tiers: [read] }]'), grant(read), {}, { effects: ['askedNoMore'], gained: [], lost: [] }],
    [
      'a second factor that she was asked for already, and has not',
      grant(read),
      grant(read, 'mfa: [{ tiers: [read] }]'),
      { stepUpsDone: 1 },
      { effects: ['shutOut', 'loses'], gained: [], lost: ['orders:read'] },
    ],
    [
      'a shorter life',
      grant(read),
      grant(read, 'limits: { read: { refreshTokenSeconds: none } }'),
      {},
      { effects: ['livesShorter'], gained: [], lost: [] },
    ],
  ] as const)('%s', (_, present, other, given, expected) => {
    const change = replayLogin(present, other, aSituation({ request: ['orders:read', 'orders:write'], ...given }))
    expect(
      change && { ...change, gained: change.gained.map(({ scope }) => scope), lost: change.lost.map(({ scope }) => scope) },
    ).toMatchObject(expected)
  })

  test('names the rule that gives and the rule that takes', () => {
    const denying = aPolicy(
      `rules:\n  - { name: all, effect: grant, scopes: [${write}], everyone: true }\n  - { name: no-read, effect: deny, scopes: [${read}], everyone: true }`,
    )
    const change = replayLogin(grant(read), denying, aSituation({ request: ['orders:read', 'orders:write'] }))
    expect(change).toMatchObject({
      gained: [{ scope: 'orders:write', because: 'granted by rule all (line 3)' }],
      lost: [{ scope: 'orders:read', because: 'denied by rule no-read (line 4)' }],
      granted: { from: ['orders:read'], to: ['orders:write'] },
    })
  })

  test('is let in with the rest where a deny takes the only scope that demanded more, and gains nothing by it', () => {
    const demanding = 'mfa: [{ scopes: ["orders:write"] }]'
    const rules = (deny: string) => aPolicy(`rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }${deny}]\n${demanding}`)
    const login = aSituation({ request: ['orders:read', 'orders:write'], stepUpsDone: 1 })
    const change = replayLogin(rules(''), rules(', { name: no, effect: deny, scopes: ["orders:write"], everyone: true }'), login)
    expect(change).toMatchObject({ effects: ['letIn'], gained: [], lost: [], granted: { from: [], to: ['orders:read'] } })
  })
})

const scopes = ['orders:read', 'orders:write', 'orders:refund', 'orders:admin'] as const
const groups = ['staff', 'finance', 'contractors'] as const
const aRule = fc.record({
  effect: fc.constantFrom('grant', 'deny'),
  scopes: fc.uniqueArray(fc.constantFrom('*', ...scopes), { minLength: 1, maxLength: 3 }),
  groups: fc.uniqueArray(fc.constantFrom(...groups), { minLength: 1, maxLength: 2 }),
})
const aDemand = fc.record({ scopes: fc.uniqueArray(fc.constantFrom(...scopes), { minLength: 1, maxLength: 2 }) })
const aDocument = fc.record({ rules: fc.array(aRule, { maxLength: 6 }), mfa: fc.array(aDemand, { maxLength: 2 }) })
type Document = { readonly rules: readonly object[]; readonly mfa: readonly object[] }
const compile = ({ rules, mfa }: Document) =>
  aPolicy(`rules: ${JSON.stringify(rules.map((rule, index) => ({ name: `r${index}`, ...rule })))}\nmfa: ${JSON.stringify(mfa)}\n`)
const aLogin = fc
  .record({
    groups: fc.oneof(fc.uniqueArray(fc.constantFrom(...groups)), fc.constant('unknown' as const)),
    amr: fc.constantFrom<string[][]>(['pwd'], ['pwd', 'otp'], []),
    request: fc.uniqueArray(fc.constantFrom(...scopes), { minLength: 1 }),
    stepUpsDone: fc.constantFrom(0, 1),
    authenticatedSecondsAgo: fc.constantFrom(0, 250, 4000),
    sessionSecondsAgo: fc.constantFrom(0, 250, 4000),
    isOwnSession: fc.boolean(),
  })
  .map((given) => aSituation(given))

describe('of whatever policy and login', () => {
  test('the same policy changes nothing', () =>
    fc.assert(
      fc.property(aDocument, aLogin, (document, login) => {
        expect(replayLogin(compile(document), compile(document), login)).toBeUndefined()
      }),
    ))

  test('a deny more never lets anybody gain', () =>
    fc.assert(
      fc.property(aDocument, aRule, aLogin, (document, rule, login) => {
        const other = compile({ ...document, rules: [...document.rules, { ...rule, effect: 'deny' }] })
        const change = replayLogin(compile(document), other, login)
        expect(change?.gained ?? []).toEqual([])
        expect(change?.effects ?? []).not.toContain('gains')
      }),
    ))

  test('a demand more never lets anybody in, and neither gives nor lengthens', () =>
    fc.assert(
      fc.property(aDocument, aDemand, aLogin, (document, demand, login) => {
        const change = replayLogin(compile(document), compile({ ...document, mfa: [...document.mfa, demand] }), login)
        for (const effect of ['letIn', 'gains', 'askedNoMore', 'livesLonger'] as const) expect(change?.effects ?? []).not.toContain(effect)
      }),
    ))

  test('there and back: what one policy gives over the other, the other lacks', () =>
    fc.assert(
      fc.property(aDocument, aDocument, aLogin, (one, other, login) => {
        const [there, back] = [replayLogin(compile(one), compile(other), login), replayLogin(compile(other), compile(one), login)]
        expect(back === undefined).toBe(there === undefined)
        expect(back?.granted ?? { from: [], to: [] }).toEqual({ from: there?.granted.to ?? [], to: there?.granted.from ?? [] })
      }),
    ))
})

type Given = { readonly groups: readonly string[]; readonly client?: { readonly id: string } }

describe('the report', () => {
  const replayed = (subject: string, given: Given, id = 'login'): Replayed => {
    const input = aSituation({ request: ['orders:read'], ...given })
    return {
      id: id as RecordedLoginId,
      person: { connectionId: input.identity.connectionId, stableId: subject, subjectId: undefined, email: undefined },
      clientId: input.client.id,
      resource: input.resource.identifier,
      change: replayLogin(grant(read), present, input),
    }
  }
  const present = aPolicy(`rules:
    - { name: all, effect: grant, scopes: [${read}], everyone: true }
    - { name: no, effect: deny, scopes: [${read}], groups: [contractors] }
mfa: [{ groups: [finance] }]`)

  test('counts logins and people, the worst off first, and merges what changes alike', () => {
    const report = reportReplay([
      replayed('fin', { groups: ['finance'] }),
      replayed('ada', { groups: [] }),
      replayed('con', { groups: ['contractors'] }, 'newest'),
      replayed('con', { groups: ['contractors'] }, 'older'),
      replayed('con', { groups: ['contractors'], client: { id: 'other' } }),
    ])
    expect(report).toMatchObject({ all: { logins: 5, people: 3 }, changed: { logins: 4, people: 2 }, peopleLeftOut: 0 })
    expect(report.effects).toMatchObject({
      shutOut: { logins: 3, people: 1 },
      loses: { logins: 3, people: 1 },
      asked: { logins: 1, people: 1 },
      gains: { logins: 0, people: 0 },
    })
    expect(report.people.map(({ person, effects }) => [person.stableId, effects])).toEqual([
      ['con', ['shutOut', 'loses']],
      ['fin', ['asked']],
    ])
    expect(report.people[0]?.changes).toMatchObject([
      { clientId: 'agent', logins: 2, newest: 'newest' },
      { clientId: 'other', logins: 1 },
    ])
  })

  test('of nothing is empty', () => {
    const none = { logins: 0, people: 0 }
    expect(reportReplay([])).toEqual({
      all: none,
      changed: none,
      effects: Object.fromEntries(replayEffects.map((effect) => [effect, none])),
      people: [],
      peopleLeftOut: 0,
    })
  })

  test('is bounded, and says what it leaves out', () => {
    const many = Array.from({ length: replayLimits.people + 3 }, (_, index) => replayed(`p${index}`, { groups: ['contractors'] }))
    const busy = Array.from({ length: replayLimits.changesPerPerson + 2 }, (_, index) =>
      replayed('busy', { groups: ['contractors'], client: { id: `c${index}` } }),
    )
    const report = reportReplay([...many, ...busy])
    expect([report.people.length, report.peopleLeftOut]).toEqual([replayLimits.people, 4])
    expect(report.people[0]).toMatchObject({ changed: replayLimits.changesPerPerson + 2, changesLeftOut: 2 })
    expect(report.people[0]?.changes).toHaveLength(replayLimits.changesPerPerson)
  })

  test('tells so many scopes in all: two hundred people who gain a hundred each are an answer of a hundred megabytes', () => {
    const scopes = Array.from({ length: policyLimits.requestScopes }, (_, index) => `s${index}` as Scope)
    const gained = scopes.map((scope) => ({ scope, because: 'granted by rule all' }))
    const many = Array.from({ length: replayLimits.people }, (_, index): Replayed => {
      const login = replayed(`p${index}`, { groups: ['contractors'] })
      return { ...login, change: login.change && { ...login.change, gained, lost: gained, granted: { from: scopes, to: scopes } } }
    })
    const report = reportReplay(many)
    const fit = replayLimits.scopesTold / (4 * scopes.length)
    expect([report.people.length, report.peopleLeftOut]).toEqual([fit, replayLimits.people - fit])
    expect(report.changed.people).toBe(replayLimits.people)
  })
})

describe('what is told of one login', () => {
  const login = (given: object = {}) => aSituation({ request: ['orders:read'], ...given })
  const demanding = grant(read, 'mfa: [{ name: strong, tiers: [read] }]')
  const seconds = (access: number, refresh: number | 'none') =>
    grant(read, `limits: { read: { accessTokenSeconds: ${access}, refreshTokenSeconds: ${refresh} } }`)

  test.each([
    [
      'an access token lives shorter',
      seconds(600, 3600),
      seconds(500, 3600),
      { accessTokenSeconds: { from: 600, to: 500 } },
      ['livesShorter'],
    ],
    [
      'an access token lives longer',
      seconds(500, 3600),
      seconds(600, 3600),
      { accessTokenSeconds: { from: 500, to: 600 } },
      ['livesLonger'],
    ],
    [
      'a refresh token lives shorter',
      seconds(600, 3600),
      seconds(600, 3000),
      { refreshTokenSeconds: { from: 3600, to: 3000 } },
      ['livesShorter'],
    ],
    [
      'a refresh token is no more',
      seconds(600, 3600),
      seconds(600, 'none'),
      { refreshTokenSeconds: { from: 3600, to: undefined } },
      ['livesShorter'],
    ],
    [
      'a refresh token is new',
      seconds(600, 'none'),
      seconds(600, 3600),
      { refreshTokenSeconds: { from: undefined, to: 3600 } },
      ['livesLonger'],
    ],
    [
      'one lives shorter and one longer',
      seconds(600, 3000),
      seconds(500, 3600),
      { accessTokenSeconds: { from: 600, to: 500 }, refreshTokenSeconds: { from: 3000, to: 3600 } },
      ['livesShorter', 'livesLonger'],
    ],
  ] as const)('%s', (_, present, other, lives, effects) => {
    expect(replayLogin(present, other, login())).toStrictEqual({
      outcome: { from: 'allow', to: 'allow' },
      effects,
      ...{ gained: [], lost: [], granted: { from: ['orders:read'], to: ['orders:read'] } },
      ...lives,
      missing: undefined,
    })
  })

  test('that she is asked for more: for what, and that no life has changed', () => {
    expect(replayLogin(grant(read), demanding, login())).toStrictEqual({
      outcome: { from: 'allow', to: 'stepUp' },
      effects: ['asked'],
      ...{ gained: [], lost: [], granted: { from: ['orders:read'], to: [] } },
      missing: expect.stringContaining('multi-factor authentication, which strong demands'),
    })
  })

  test('that she is asked for something else than before, and not that she is asked for the same', () => {
    const fresh = login({ request: ['orders:admin'], isOwnSession: false })
    const admin = (rest = '') => grant('"orders:admin"', rest)
    const mfa = 'mfa: [{ name: a, tiers: [admin] }]'
    expect(replayLogin(admin(), admin(mfa), fresh)).toMatchObject({ outcome: { from: 'stepUp', to: 'stepUp' }, effects: ['asked'] })
    expect(replayLogin(admin(mfa), admin(mfa.replace('a,', 'b,')), fresh)).toBeUndefined()
  })

  test('that she is refused anew for another reason is nothing that changes for her', () => {
    const denying = aPolicy('rules: [{ name: no, effect: deny, scopes: ["*"], everyone: true }]')
    expect(replayLogin(grant('"none"'), denying, login())).toBeUndefined()
  })

  test('that she who was refused is asked now: she gains what she may have then, and is not yet let in', () => {
    const change = replayLogin(grant('"none"'), demanding, login())
    expect(change).toMatchObject({ outcome: { from: 'deny', to: 'stepUp' }, effects: ['asked', 'gains'], granted: { from: [], to: [] } })
    expect(change?.gained).toEqual([{ scope: 'orders:read', because: expect.stringMatching(/^would be granted by rule all/) }])
  })

  test('that she who was asked is refused now loses what she could have had', () => {
    const change = replayLogin(demanding, grant('"none"'), login())
    expect(change).toMatchObject({ outcome: { from: 'stepUp', to: 'deny' }, effects: ['shutOut', 'loses'], gained: [] })
    expect(change?.lost).toEqual([{ scope: 'orders:read', because: 'no rule grants it' }])
    expect(change?.missing).toBe('no rule grants any of the requested scopes')
  })
})

describe('who is told of, and in which order', () => {
  type Change = NonNullable<Replayed['change']>
  const change = (...effects: Change['effects']): Change => ({
    outcome: { from: 'allow', to: 'deny' },
    effects,
    ...{ gained: [], lost: [], granted: { from: [], to: [] }, missing: undefined },
  })
  const replayed = (who: string, of: Change | undefined, more: Partial<Replayed> = {}): Replayed => ({
    id: `${who}'s` as RecordedLoginId,
    person: { connectionId: 'c' as never, stableId: who, subjectId: undefined, email: undefined },
    clientId: 'agent' as never,
    resource: 'https://mcp.example' as never,
    change: of,
    ...more,
  })

  test('the worst off first, and of those who are as badly off whoever is so more often', () => {
    const report = reportReplay([
      replayed('longer', change('livesLonger')),
      replayed('once', change('loses')),
      replayed('twice', change('loses')),
      replayed('twice', change('loses')),
      replayed('worst', change('shutOut', 'loses')),
      replayed('same', undefined),
    ])
    expect(report.people.map(({ person, changed }) => [person.stableId, changed])).toEqual([
      ['worst', 1],
      ['twice', 2],
      ['once', 1],
      ['longer', 1],
    ])
    expect(report).toMatchObject({ all: { logins: 6, people: 5 }, changed: { logins: 5, people: 4 } })
  })

  test('a person is whom her subject says, whatever the connections; without one, the id at her connection', () => {
    const as = (connectionId: string, stableId: string, subjectId?: string): Partial<Replayed> => ({
      person: { connectionId: connectionId as never, stableId, subjectId: subjectId as never, email: undefined },
    })
    const people = (...persons: readonly Partial<Replayed>[]) =>
      reportReplay(persons.map((person) => replayed('x', change('loses'), person))).all.people
    expect(people(as('c1', 'a', 's'), as('c2', 'b', 's'))).toBe(1)
    expect(people(as('c1', 'a', 's'), as('c1', 'a', 't'))).toBe(2)
    expect(people(as('c1', 'a'), as('c1', 'a'))).toBe(1)
    expect(people(as('c1', 'a'), as('c2', 'a'))).toBe(2)
    expect(people(as('c1', 'a'), as('c1', 'b'))).toBe(2)
  })

  test('logins that change alike are told once with the newest; others apart', () => {
    const loses = change('loses')
    const logins = [
      replayed('a', loses, { id: 'newest' as RecordedLoginId }),
      replayed('a', { ...loses, refreshTokenSeconds: { from: 2, to: 1 } }, { id: 'older' as RecordedLoginId }),
      replayed('a', undefined),
      replayed('a', loses, { clientId: 'other' as never }),
      replayed('a', loses, { resource: 'https://other.example' as never }),
      replayed('a', { ...loses, outcome: { from: 'allow', to: 'stepUp' } }),
      replayed('a', change('shutOut', 'loses')),
      replayed('a', { ...loses, gained: [{ scope: 's' as never, because: 'b' }] }),
      replayed('a', { ...loses, lost: [{ scope: 's' as never, because: 'b' }] }),
    ]
    const [person] = reportReplay(logins).people
    expect(person).toMatchObject({ logins: 9, changed: 8, effects: ['shutOut', 'loses'], changesLeftOut: 0 })
    expect(person?.changes.map(({ logins: count }) => count)).toEqual([2, 1, 1, 1, 1, 1, 1])
    expect(person?.changes[0]).toEqual({ ...loses, clientId: 'agent', resource: 'https://mcp.example', logins: 2, newest: 'newest' })
  })

  test('as many people, and changes of one, as the limit are left out by none', () => {
    const all = Array.from({ length: replayLimits.people }, (_, index) => replayed(`p${index}`, change('loses')))
    const busy = Array.from({ length: replayLimits.changesPerPerson }, (_, index) =>
      replayed('p0', change('gains'), { clientId: `c${index}` as never }),
    )
    const report = reportReplay([...all, ...busy.slice(1)])
    expect([report.people.length, report.peopleLeftOut, report.people[0]?.changesLeftOut]).toEqual([replayLimits.people, 0, 0])
  })
})

test('a replay takes as many logins as a tenant keeps, and gives others their turn', () => {
  expect(replayLimits).toMatchObject({ logins: recordedLoginLimits.perTenant, people: 200, changesPerPerson: 10 })
  expect(replayLimits.stretchMilliseconds).toBeLessThan(replayLimits.milliseconds)
})
