import type { TenantId } from '@drawbridge/core/tenant/ids'
import type { Log } from '@drawbridge/runtime/log'
import { expect, it } from 'vitest'
import { createPolicyCompiler } from './tenant-policy.js'

const errors: string[] = []
const log = { error: (_: unknown, say: string) => void errors.push(say) } as unknown as Log
const stored = (given: object = {}) => ({
  id: 't' as TenantId,
  slug: 'acme' as never,
  policyVersion: 3,
  policyDocument: 'version: 1\nrules: []',
  wall: { version: 1, document: 'version: 1' },
  ...given,
})

it('compiles again only for another version of the tenant or of the wall', () => {
  const compile = createPolicyCompiler(log, { most: 10, weight: 1_000 })
  const first = compile(stored())
  expect(compile(stored())).toBe(first)
  expect(compile(stored({ policyVersion: 4 }))).not.toBe(first)
  const second = compile(stored({ policyVersion: 4 }))
  const walled = compile(stored({ policyVersion: 4, wall: { version: 2, document: 'version: 1' } }))
  expect(walled).not.toBe(second)
  expect(walled.wall.version).toBe(2)
  expect(compile(stored({ policyVersion: 4, wall: undefined })).wall.version).toBe(0)
})

it('keeps as many tenants as its limit', () => {
  const compile = createPolicyCompiler(log, { most: 1, weight: 1_000 })
  const first = compile(stored())
  compile(stored({ id: 'other' }))
  expect(compile(stored())).not.toBe(first)
})

it('keeps as many characters of documents as its limit', () => {
  const compile = createPolicyCompiler(log, { most: 10, weight: 60 })
  const policyDocument = 'version: 1'.padEnd(40)
  const first = compile(stored({ policyDocument }))
  expect(compile(stored({ policyDocument }))).toBe(first)
  compile(stored({ id: 'other', policyDocument }))
  expect(compile(stored({ policyDocument }))).not.toBe(first)
})

it('grants nothing where a published document does not compile any more, and lets nothing through where the vendor’s does not', () => {
  const compile = createPolicyCompiler(log, { most: 10, weight: 1_000 })
  const broken = compile(stored({ policyDocument: 'version: 1\nrules: [' }))
  expect(broken.policy).toMatchObject({ version: 3, rules: [] })
  const closed = compile(stored({ id: 'u', wall: { version: 9, document: 'version: 2' } }))
  expect(closed.policy.rules).toMatchObject([{ name: 'closed', effect: 'deny', owner: 'vendor' }])
  expect(closed.policy.rules[0]?.scopes.covers('anything')).toBe(true)
  expect(errors).toEqual([
    'a published policy does not compile; the safe default applies',
    'the published policy of the vendor does not compile; nothing is granted until it does',
  ])
})

it('holds what was published before the wall to the wall', () => {
  const compile = createPolicyCompiler(log, { most: 10, weight: 1_000 })
  const policyDocument = 'version: 1\nlimits: { read: { accessTokenSeconds: 600 } }'
  const wall = { version: 5, document: 'version: 1\nlimits: { read: { accessTokenSeconds: 60, refreshTokenSeconds: none } }' }
  expect(compile(stored({ policyDocument, wall })).policy.tierLimits.read).toEqual({
    accessTokenSeconds: 60,
    refreshTokenSeconds: undefined,
  })
})
