/** What may be had for a token, who acts by it, and which permission counts. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instant, toSeconds } from '../instant.js'
import type { ClientId, Scope, TenantSlug } from '../tenant/ids.js'
import { buildActor } from './actor.js'
import { exchangeLimits, findPermission, reachedFrom, tokenExchangeFromJson, tokenExchangeShape } from './exchange-permission.js'
import { narrowToExchanged, readSubjectToken } from './token-exchange.js'
import { parseTokenRequest } from './token-request.js'

const scopes = (text: string) => text.split(' ').filter((each) => each !== '') as Scope[]

test.each([
  { asked: undefined, may: 'a b c', token: 'b c d', left: 'b c' },
  { asked: 'c', may: 'a b c', token: 'b c d', left: 'c' },
  { asked: 'c d', may: 'a b c', token: 'b c d', left: undefined },
  { asked: undefined, may: 'a', token: 'b', left: undefined },
  { asked: 'a', may: '', token: 'a', left: undefined },
])('of $may and a token with $token, $asked comes to $left', ({ asked, may, token, left }) => {
  const narrowed = narrowToExchanged(asked === undefined ? undefined : scopes(asked), [scopes(may), scopes(token)])
  expect(narrowed).toEqual(left === undefined ? { ok: false, error: 'scope_widened' } : { ok: true, value: scopes(left) })
})

test('whatever is asked for, nothing is left that one of the limits lacks', () => {
  const some = fc.uniqueArray(fc.constantFrom<Scope[]>(...scopes('a b c d e')))
  fc.assert(
    fc.property(fc.option(some, { nil: undefined }), some, some, some, (asked, ...limits) => {
      const narrowed = narrowToExchanged(asked, limits)
      return !narrowed.ok || narrowed.value.every((scope) => limits.every((limit) => limit.includes(scope)))
    }),
  )
})

test('who acts stands outside, whoever acted before within, and the client of the person nowhere', () => {
  const of = (...clients: string[]) => clients.map((clientId) => ({ clientId: clientId as ClientId }))
  const at = { tenant: 'acme' as TenantSlug }
  expect(buildActor('one' as ClientId, of('hers'), at)).toEqual({ sub: 'one' })
  const three = buildActor('three' as ClientId, of('two', 'one', 'hers'), at)
  expect(three).toEqual({ sub: 'three', act: { sub: 'two', act: { sub: 'one' } } })
  // At the front they are clients of one tenant.
  const atFront = buildActor('two' as ClientId, of('one', 'hers'), { ...at, isFront: true })
  expect(atFront).toEqual({ sub: 'acme.two', act: { sub: 'acme.one' } })
})

const now = instant(1_800_000_000_000)
const token = { grantId: 'g', audience: 'a', epochs: { tenant: 1, client: 1, connection: 1, subject: 1, grant: 1 }, scopes: [] }
const claims = { sub: 'ada', client_id: 'hers', exp: toSeconds(now) + 60 }
test.each([
  { when: 'all is there', changed: {}, read: { isBound: false } },
  { when: 'it is bound to a key', changed: { cnf: { jkt: 'x' } }, read: { isBound: true } },
  { when: 'it is bound to what we cannot read', changed: { cnf: 'x' }, read: { isBound: true } },
  { when: 'it names nobody', changed: { sub: undefined }, read: undefined },
  { when: 'it names no client', changed: { client_id: 5 }, read: undefined },
  { when: 'it has no end', changed: { exp: undefined }, read: undefined },
  { when: 'it ends within this second', changed: { exp: toSeconds(now) }, read: undefined },
])('a subject token is read as $read when $when', ({ changed, read }) => {
  const told = readSubjectToken({ ...token, claims: { ...claims, ...changed } }, now)
  if (read === undefined) expect(told).toBeUndefined()
  else expect(told).toMatchObject(read)
})

const permission = { client: 'gateway', from: 'https://a.example', to: 'https://b.example', scopes: ['read'] }
const asked = { client: 'gateway', from: 'https://a.example', to: 'https://b.example', issuedTo: 'hers' }
test.each([
  { when: 'it names all of it', given: permission, change: {}, found: true },
  { when: 'another client asks', given: permission, change: { client: 'other' }, found: false },
  { when: 'the token is of another resource', given: permission, change: { from: 'https://b.example' }, found: false },
  { when: 'another resource is wanted', given: permission, change: { to: 'https://a.example' }, found: false },
  { when: 'the token was issued to a client that is listed', given: { ...permission, ofClients: ['hers'] }, change: {}, found: true },
  { when: 'the token was issued to one that is not', given: { ...permission, ofClients: ['his'] }, change: {}, found: false },
])('a permission counts: $found, when $when', ({ given, change, found }) => {
  const exchange = tokenExchangeFromJson({ permissions: [given] })
  expect(findPermission(exchange, { ...asked, ...change }) !== undefined).toBe(found)
})

test('what a token may come to by exchanges is reached in any number of steps, round and round, and from nowhere else', () => {
  const steps = (...pairs: readonly (readonly [string, string])[]) =>
    tokenExchangeFromJson({ permissions: pairs.map(([from, to]) => ({ ...permission, from, to })) })
  const reached = (from: string) =>
    [...reachedFrom(steps(['b', 'c'], ['a', 'b'], ['c', 'a'], ['x', 'a'], ['a', 'a']), from as never)].sort()
  expect([reached('a'), reached('x'), reached('y')]).toEqual([['a', 'b', 'c'], ['a', 'b', 'c', 'x'], ['y']])
})

test.each([
  { what: 'nothing', json: undefined },
  { what: 'another shape', json: { permissions: 'all' } },
  { what: 'one that is good beside one that is not', json: { permissions: [permission, { ...permission, to: '' }] } },
  { what: 'an unknown member', json: { permissions: [permission], all: true } },
])('$what allows nothing', ({ json }) => {
  expect(tokenExchangeFromJson(json)).toEqual({ permissions: [] })
})

test('a tenant has so many permissions, and no two for the same', () => {
  const many = (count: number) => ({ permissions: Array.from({ length: count }, (_, at) => ({ ...permission, client: `c${at}` })) })
  expect(tokenExchangeShape.safeParse(many(exchangeLimits.permissions)).success).toBe(true)
  expect(tokenExchangeShape.safeParse(many(exchangeLimits.permissions + 1)).success).toBe(false)
  expect(tokenExchangeShape.safeParse({ permissions: [permission, { ...permission, scopes: ['write'] }] }).success).toBe(false)
})

test('a subject token that is longer than any of ours is not looked at', () => {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    resource: 'r',
  }
  expect(parseTokenRequest({ ...form, subject_token: 'x'.repeat(16_384) }).ok).toBe(true)
  expect(parseTokenRequest({ ...form, subject_token: 'x'.repeat(16_385) })).toMatchObject({
    ok: false,
    error: { reason: 'token_request_malformed' },
  })
})
