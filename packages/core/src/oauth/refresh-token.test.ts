import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instant } from '../instant.js'
import type { ClientId, IssuerId, Scope } from '../tenant/ids.js'
import type { KeyThumbprint, ProvenKey } from './dpop-proof.js'
import { findGrantRefusal, type GrantState } from './grant.js'
import { formatRefreshToken, judgeRefresh, type RefreshTokenState, readFamily, type TokenFamilyId } from './refresh-token.js'

const now = instant(1_800_000_000_000)
const epochs = { tenant: 1, client: 1, connection: 1, subject: 1, grant: 1 }
const grant: GrantState = {
  made: epochs,
  current: epochs,
  tenantSuspended: false,
  revoked: false,
  expiresAt: instant(now + 1),
  client: 'live',
  connection: 'live',
  subject: 'live',
  ancestorDead: false,
}
const token: RefreshTokenState = {
  issuerId: 'issuer' as IssuerId,
  clientId: 'client' as ClientId,
  dpopKey: undefined,
  expiresAt: instant(now + 1),
  rotatedAt: undefined,
  successorKey: undefined,
  successorUsed: false,
  graceReplays: 0,
  familyGraceReplays: 0,
  refreshOffered: true,
  scopes: ['read', 'write'],
  audience: 'https://mcp.example',
  scopeCeiling: [],
  mintable: true,
  isDecidedAgain: false,
  decisionIsCurrent: true,
  proofRulesChanged: false,
  proofUsed: false,
  grant,
  caller: { clientVersion: 7 },
}
const presented = {
  issuerId: token.issuerId,
  clientId: token.clientId,
  clientVersion: 7,
  scopes: undefined,
  resource: undefined,
  provenKey: undefined,
}

test.each([
  { when: 'all is well', changed: {}, verdict: undefined },
  { when: 'the tenant is suspended', changed: { tenantSuspended: true }, verdict: 'tenant_suspended' },
  { when: 'it was revoked', changed: { revoked: true }, verdict: 'grant_revoked' },
  { when: 'it expires now', changed: { expiresAt: now }, verdict: 'grant_expired' },
  { when: 'the client is gone', changed: { client: 'unknown' as const }, verdict: 'grant_client_unknown' },
  { when: 'the client is blocked', changed: { client: 'blocked' as const }, verdict: 'grant_client_blocked' },
  { when: 'the connection is disabled', changed: { connection: 'disabled' as const }, verdict: 'grant_connection_disabled' },
  { when: 'the subject is gone', changed: { subject: 'unknown' as const }, verdict: 'grant_subject_unknown' },
  { when: 'the subject is deactivated', changed: { subject: 'deactivated' as const }, verdict: 'grant_subject_deactivated' },
  { when: 'what it was exchanged from is dead', changed: { ancestorDead: true }, verdict: 'grant_ancestor_dead' },
  { when: 'the tenant moved on', changed: { current: { ...epochs, tenant: 2 } }, verdict: 'grant_below_barrier' },
  { when: 'the client moved on', changed: { current: { ...epochs, client: 2 } }, verdict: 'grant_below_barrier' },
  { when: 'the connection moved on', changed: { current: { ...epochs, connection: 2 } }, verdict: 'grant_below_barrier' },
  { when: 'the subject moved on', changed: { current: { ...epochs, subject: 2 } }, verdict: 'grant_below_barrier' },
])('a grant is judged $verdict when $when', ({ changed, verdict }) => {
  expect(findGrantRefusal({ ...grant, ...changed }, now)).toBe(verdict)
})

test.each([
  { when: 'it is fresh', changed: {}, verdict: 'rotate' },
  { when: 'the client has changed', changed: { caller: { clientVersion: 8 } }, verdict: 'client_changed' },
  { when: 'the client is gone', changed: { caller: { clientVersion: undefined } }, verdict: 'client_changed' },
  {
    when: 'the window has just ended and the client has changed',
    changed: { rotatedAt: instant(now - 30_000), caller: { clientVersion: 8 } },
    verdict: 'client_changed',
  },
  { when: 'it was rotated a moment ago', changed: { rotatedAt: now }, verdict: 'grace' },
  { when: 'the window is one millisecond from its end', changed: { rotatedAt: instant(now - 29_999) }, verdict: 'grace' },
  { when: 'the window has just ended', changed: { rotatedAt: instant(now - 30_000) }, verdict: 'refresh_token_stolen' },
  { when: 'the successor was used inside the window', changed: { rotatedAt: now, successorUsed: true }, verdict: 'refresh_token_replayed' },
  {
    when: 'the successor was used and the window is over',
    changed: { rotatedAt: instant(now - 30_000), successorUsed: true },
    verdict: 'refresh_token_stolen',
  },
  { when: 'it was answered 20 times in its grace', changed: { rotatedAt: now, graceReplays: 20 }, verdict: 'refresh_grace_exhausted' },
  { when: 'its family is one replay short of theft', changed: { rotatedAt: now, familyGraceReplays: 59 }, verdict: 'grace' },
  {
    when: 'its family was replayed at the rate of theft',
    changed: { rotatedAt: now, familyGraceReplays: 60 },
    verdict: 'refresh_token_stolen',
  },
  { when: 'its family was, and it is the newest itself', changed: { familyGraceReplays: 60 }, verdict: 'rotate' },
  { when: 'it expires now', changed: { expiresAt: now }, verdict: 'refresh_token_expired' },
  { when: 'its client may no longer refresh', changed: { refreshOffered: false }, verdict: 'refresh_token_not_offered' },
  { when: 'policy has changed', changed: { decisionIsCurrent: false }, verdict: 'decide_again' },
  {
    ...{ when: 'policy has changed and nothing was left before', verdict: 'grant_policy_denies' },
    changed: { decisionIsCurrent: false, scopes: [] },
  },
  {
    ...{ when: 'policy has changed again since it left nothing', verdict: 'decide_again' },
    changed: { isDecidedAgain: true, decisionIsCurrent: false, scopes: [] },
  },
  {
    ...{ when: 'policy has changed again since it left no refresh', verdict: 'decide_again' },
    changed: { isDecidedAgain: true, decisionIsCurrent: false, refreshOffered: false },
  },
  { when: 'policy has decided that nothing is left', changed: { isDecidedAgain: true, scopes: [] }, verdict: 'grant_policy_denies' },
  { when: 'the rules about proofs have changed', changed: { proofRulesChanged: true }, verdict: 'proof_rules_changed' },
  { when: 'the ceiling of its client leaves some', changed: { scopeCeiling: ['write', 'admin'] }, verdict: 'rotate' },
  { when: 'the ceiling of its client leaves none', changed: { scopeCeiling: ['admin'] }, verdict: 'grant_policy_denies' },
  { when: 'it has no scope left', changed: { scopes: [] }, verdict: 'grant_policy_denies' },
  { when: 'its issuer may mint no longer', changed: { mintable: false }, verdict: 'grant_policy_denies' },
  { when: 'another client has it', changed: { clientId: 'other' as ClientId }, verdict: 'refresh_token_of_other_client' },
  { when: 'it is of another issuer', changed: { issuerId: 'other' as IssuerId }, verdict: 'refresh_token_of_other_issuer' },
])('a refresh token is judged $verdict when $when', ({ changed, verdict }) => {
  expect(judgeRefresh({ ...token, ...changed }, presented, now)).toBe(verdict)
})

test.each([
  { when: 'some of it is under the ceiling', asked: ['read', 'write'], ceiling: ['read'], verdict: 'rotate' },
  { when: 'none of it is under the ceiling', asked: ['write'], ceiling: ['read'], verdict: 'scope_widened' },
  { when: 'nothing at all is left', asked: ['write'], ceiling: ['admin'], verdict: 'grant_policy_denies' },
  { when: 'it was not granted, whatever the ceiling', asked: ['read', 'admin'], ceiling: ['read', 'admin'], verdict: 'scope_widened' },
])('a scope that is asked for at a refresh is judged $verdict when $when', ({ asked, ceiling, verdict }) => {
  expect(judgeRefresh({ ...token, scopeCeiling: ceiling }, { ...presented, scopes: asked as Scope[] }, now)).toBe(verdict)
})

const key = (thumbprint: string) => ({ thumbprint, jti: 'j', rememberUntil: now }) as unknown as ProvenKey
const bound = { ...token, dpopKey: 'its-key' as KeyThumbprint }
test.each([
  { when: 'its key was proved', state: bound, proved: 'its-key', verdict: 'rotate' },
  { when: 'another key was', state: bound, proved: 'other', verdict: 'refresh_token_of_other_key' },
  { when: 'none was', state: bound, proved: undefined, verdict: 'refresh_token_of_other_key' },
  {
    when: 'another key comes inside the grace',
    state: { ...bound, rotatedAt: now },
    proved: 'other',
    verdict: 'refresh_token_of_other_key',
  },
  { when: 'its key comes inside the grace', state: { ...bound, rotatedAt: now }, proved: 'its-key', verdict: 'grace' },
  {
    when: 'a thief without the key comes after the grace',
    state: { ...bound, rotatedAt: instant(now - 60_000) },
    proved: 'other',
    verdict: 'refresh_token_of_other_key',
  },
  { when: 'the proof was used before', state: { ...bound, proofUsed: true }, proved: 'its-key', verdict: 'dpop_proof_replayed' },
  {
    when: 'policy has to decide before a proof counts as used',
    state: { ...bound, proofUsed: true, decisionIsCurrent: false },
    proved: 'its-key',
    verdict: 'decide_again',
  },
])('a refresh token that is bound to a key is judged $verdict when $when (RFC 9449 §5)', ({ state, proved, verdict }) => {
  expect(judgeRefresh(state, { ...presented, provenKey: proved === undefined ? undefined : key(proved) }, now)).toBe(verdict)
})

const upgraded = { ...token, rotatedAt: now, successorKey: 'its-key' as KeyThumbprint }
test.each([
  { when: 'that key comes again', state: upgraded, proved: 'its-key', verdict: 'grace' },
  { when: 'another key comes', state: upgraded, proved: 'other', verdict: 'refresh_token_stolen' },
  { when: 'none comes', state: upgraded, proved: undefined, verdict: 'refresh_token_stolen' },
  {
    when: 'none comes, and the successor was used',
    state: { ...upgraded, successorUsed: true },
    proved: undefined,
    verdict: 'refresh_token_stolen',
  },
  { when: 'none comes, after many', state: { ...upgraded, graceReplays: 20 }, proved: undefined, verdict: 'refresh_token_stolen' },
  {
    when: 'that key comes and the successor was used',
    state: { ...upgraded, successorUsed: true },
    proved: 'its-key',
    verdict: 'refresh_token_replayed',
  },
  {
    when: 'that key comes after the grace',
    state: { ...upgraded, rotatedAt: instant(now - 30_000) },
    proved: 'its-key',
    verdict: 'refresh_token_stolen',
  },
])('a replay of a token without a key, whose successor has one, is judged $verdict when $when', ({ state, proved, verdict }) => {
  expect(judgeRefresh(state, { ...presented, provenKey: proved === undefined ? undefined : key(proved) }, now)).toBe(verdict)
})

test('scope may shrink and never grow', () => {
  const asking = (scopes: readonly string[]) => judgeRefresh(token, { ...presented, scopes: scopes as readonly Scope[] }, now)
  expect(asking(['read'])).toBe('rotate')
  expect(asking(['read', 'admin'])).toBe('scope_widened')
})

test('the family of a token that we made is read back, and nothing else has one', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.uint8Array({ minLength: 32, maxLength: 32 }), (id, secret) => {
      const made = formatRefreshToken(id as TokenFamilyId, Buffer.from(secret))
      expect(made).toMatch(/^dbr_[A-Za-z0-9_-]{64}$/)
      expect(readFamily(made)).toBe(id)
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => readFamily(text) === undefined))
})
