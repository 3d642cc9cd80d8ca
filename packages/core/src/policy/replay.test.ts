import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import type { RecordedLoginId, Scope } from '../tenant/ids.js'
import { policyLimits } from './error.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'
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
