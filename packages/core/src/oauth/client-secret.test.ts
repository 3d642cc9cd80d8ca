import { describe, expect, it } from 'vitest'
import { instant } from '../instant.js'
import type { CredentialHash } from '../tenant/ids.js'
import { addSecret, type ClientSecret, isLiving, limitSecret, secretIdOf, withdrawSecret } from './client-secret.js'

const now = instant(1000)
const aSecret = (name: string, expiresAt?: number): ClientSecret => ({
  hash: Buffer.from(name.padEnd(32, '.')) as CredentialHash,
  createdAt: instant(1),
  expiresAt: expiresAt === undefined ? undefined : instant(expiresAt),
  lastUsedAt: undefined,
})
const [old, next, third, lapsed] = [aSecret('old'), aSecret('next', 2000), aSecret('third'), aSecret('lapsed', 1000)]
const [idOfOld, idOfNext, idOfLapsed] = [old, next, lapsed].map(secretIdOf) as [string, string, string]

describe('the secrets of a client', () => {
  it('live until their end, and not at it', () => {
    expect([old, next, lapsed, aSecret('a', 1001)].map((secret) => isLiving(secret, now))).toEqual([true, true, false, true])
  })
  it('are two at most, of which those that have lapsed do not count and make room', () => {
    expect(addSecret([old], next, now)).toEqual({ ok: true, value: [old, next] })
    expect(addSecret([old, next], third, now)).toEqual({ ok: false, error: 'secrets_full' })
    expect(addSecret([lapsed, next], third, now)).toEqual({ ok: true, value: [next, third] })
    expect(addSecret([lapsed], third, now)).toEqual({ ok: true, value: [third] })
  })
  it('are withdrawn one by one, but for the last that lives', () => {
    expect(withdrawSecret([old, next], idOfOld, now)).toEqual({ ok: true, value: [next] })
    expect(withdrawSecret([old, next], idOfNext, now)).toEqual({ ok: true, value: [old] })
    expect(withdrawSecret([old], idOfOld, now)).toEqual({ ok: false, error: 'last_secret' })
    expect(withdrawSecret([lapsed, old], idOfOld, now)).toEqual({ ok: false, error: 'last_secret' })
    expect(withdrawSecret([lapsed, old], idOfLapsed, now)).toEqual({ ok: true, value: [old] })
    expect(withdrawSecret([old], idOfNext, now)).toEqual({ ok: false, error: 'not_found' })
  })
  it('get another end, or none, unless they have lapsed', () => {
    const until = { expiresAt: instant(1500), now }
    expect(limitSecret([old, next], idOfOld, until)).toEqual({ ok: true, value: [{ ...old, expiresAt: 1500 }, next] })
    expect(limitSecret([old, next], idOfNext, { expiresAt: undefined, now })).toEqual({
      ok: true,
      value: [old, { ...next, expiresAt: undefined }],
    })
    expect(limitSecret([lapsed, old], idOfLapsed, until)).toEqual({ ok: false, error: 'not_found' })
    expect(limitSecret([old], idOfNext, until)).toEqual({ ok: false, error: 'not_found' })
  })
  it('are named by what tells nothing of them', () => {
    expect(idOfOld).toMatch(/^[0-9a-f]{16}$/)
    expect(idOfOld).not.toBe(idOfNext)
  })
})
