/** What a client is granted at most by an assertion: what both name, for one resource. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { Scope } from '../tenant/ids.js'
import { jwtBearerGrantType, longestAssertionGrant, narrowToAsserted } from './jwt-bearer.js'
import { parseTokenRequest } from './token-request.js'

const mcp = { identifier: 'https://mcp.example/mcp' }
const resources = [mcp, { identifier: 'https://other.example' }]
const scopes = (...names: string[]) => names as unknown as Scope[]
const narrow = (asked: object, asserted: object, known = resources) =>
  narrowToAsserted(
    { scopes: undefined, resource: undefined, ...asked },
    { scopes: undefined, resource: mcp.identifier, ...asserted },
    known,
  )

describe('the scopes', () => {
  test.each([
    { what: 'both', asked: scopes('a', 'b'), asserted: scopes('b', 'c'), left: ['b'] },
    { what: 'the assertion alone', asked: undefined, asserted: scopes('a'), left: ['a'] },
    { what: 'the request alone', asked: scopes('a'), asserted: undefined, left: ['a'] },
    { what: 'neither, which means the defaults', asked: undefined, asserted: undefined, left: [] },
  ])('are those that are named by $what', ({ asked, asserted, left }) => {
    expect(narrow({ scopes: asked }, { scopes: asserted })).toEqual({ ok: true, value: { resource: mcp, scopes: left } })
  })

  it('are never more than the assertion names, and never the defaults in its place', () => {
    const some = fc.option(fc.uniqueArray(fc.constantFrom('a', 'b', 'c')), { nil: undefined })
    fc.assert(
      fc.property(some, fc.uniqueArray(fc.constantFrom('a', 'b', 'c')), (asked, asserted) => {
        const narrowed = narrow({ scopes: asked }, { scopes: asserted })
        if (!narrowed.ok) return narrowed.error === 'scope_widened'
        return narrowed.value.scopes.length > 0 && narrowed.value.scopes.every((scope) => (asserted as readonly string[]).includes(scope))
      }),
    )
  })
})

describe('the resource', () => {
  test.each([
    { what: 'one that both name, a slash apart', asked: { resource: `${mcp.identifier}/` }, asserted: {}, ok: true },
    { what: 'two', asked: { resource: 'https://other.example' }, asserted: {}, ok: false },
    { what: 'one that nobody knows', asked: {}, asserted: { resource: 'https://nobody.example' }, ok: false },
    { what: 'none', asked: {}, asserted: { resource: undefined }, ok: false },
    { what: 'one of the request alone', asked: { resource: mcp.identifier }, asserted: { resource: undefined }, ok: true },
  ])('may be $what: $ok', ({ asked, asserted, ok }) => {
    expect(narrow(asked, asserted).ok).toBe(ok)
  })

  it('is the only one of the issuer where nobody names one, and has to be named where there are several or none', () => {
    const neither = (known: typeof resources) => narrow({}, { resource: undefined }, known)
    expect(neither([mcp])).toEqual({ ok: true, value: { resource: mcp, scopes: [] } })
    for (const known of [resources, []]) expect(neither(known)).toEqual({ ok: false, error: 'resource_unnamed' })
    for (const resource of ['', 'https://other.example'])
      expect(narrow({}, { resource }, [mcp])).toEqual({ ok: false, error: 'resource_not_of_grant' })
    expect(narrow({ resource: 'https://other.example' }, { resource: undefined }, [mcp])).toEqual({
      ok: false,
      error: 'resource_not_of_grant',
    })
  })
})

describe('the request', () => {
  const request = (form: Record<string, string>) => parseTokenRequest({ grant_type: jwtBearerGrantType, ...form })

  it('hides the assertion from whoever prints it', () => {
    const parsed = request({ assertion: 'a.b.c', scope: 'read', resource: mcp.identifier })
    expect(parsed).toMatchObject({ ok: true, value: { scopes: ['read'], resource: mcp.identifier } })
    expect(JSON.stringify(parsed)).not.toContain('a.b.c')
  })

  test.each(['', 'a.b', 'a.b.c.d', 'a.b.ç', 'a b.c.d', `${'a'.repeat(longestAssertionGrant)}.b.c`])(
    'refuses what is no signed JWT',
    (assertion) => {
      expect(request({ assertion })).toMatchObject({
        ok: false,
        error: { reason: 'token_request_malformed', detail: { field: 'assertion' } },
      })
    },
  )

  it('is read or refused, whatever the form', () => {
    const name = fc.constantFrom('grant_type', 'assertion', 'scope', 'resource', '__proto__')
    const value = fc.oneof(fc.string(), fc.constantFrom(jwtBearerGrantType, 'a.b.c'))
    fc.assert(fc.property(fc.dictionary(name, value), (form) => typeof parseTokenRequest(form).ok === 'boolean'))
  })
})
