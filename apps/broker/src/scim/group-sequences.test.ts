/**
 * Sequences of the real clients that speak of groups, driven over HTTP. Each file in fixtures/group-sequences is a client: drop one in, and a
 * test appears.
 *
 * A step is told in `test/scim-steps`. Beside it: `members` are the people whom the group `group` then has, by the names under which their ids
 * were saved, seen from the group and from each of them. Ada has signed in; whoever is in Engineers, by name or by the directory's own id, may
 * write. `access` is what becomes of that: `opens` has her sign in and get both scopes, `keeps` says that her token does what it did, and
 * `loses` that her token is dead at once and her next one reads alone.
 */
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { instant } from '@drawbridge/core/instant'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient, type TokenAnswer, type TokenClient } from '@drawbridge/testkit/a-token-client'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Directory, directoryOf } from '../../test/a-directory.js'
import { filled, type Saved, type ScimStep, sequencesIn, take } from '../../test/scim-steps.js'

type Step = ScimStep & { readonly members?: readonly string[]; readonly access?: 'opens' | 'keeps' | 'loses' }

const now = instant(Date.now())
let fixture: TestDatabase
let broker: TestBroker
beforeAll(async () => {
  fixture = await testDatabase()
  broker = await aBroker(fixture.database, { clock: { now: () => now } })
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})

const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[]) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)

/** The company: two scopes, a policy, and a key that signs. */
async function aCompany(slug: string): Promise<ATenant> {
  const tenant = await aTenant(fixture, { slug })
  await aTokenKey(fixture, broker, tenant)
  for (const name of ['read', 'write'])
    await owner('INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $3)', [
      ...[tenant.tenantId, tenant.resourceId, name],
    ])
  const identity = identityToJson({
    ...{ connectionId: tenant.connectionId, stableId: 'ada', subjectId: tenant.subjectId, claims: new Map() },
    groups: { state: 'known', value: ['Engineers'] },
    ...{ authentication: { acr: 'mfa', amr: ['otp'], authenticatedAt: now }, sessionExpiresAt: undefined },
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  })
  await owner('UPDATE subjects SET claims = $2 WHERE id = $1', [tenant.subjectId, JSON.stringify(identity)])
  await inTenant(fixture.database, tenant.tenantId, (db) =>
    publishPolicy(db, tenant.tenantId, {
      document: `version: 1
claimChanges: now
rules: [{ name: all, effect: grant, scopes: [read], everyone: true }]
bundles: [{ name: engineers, groups: [Engineers, 8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159], scopes: [write] }]`,
      author: 'test',
      now,
    }),
  )
  return tenant
}

async function opened(tenant: ATenant, client: TokenClient): Promise<TokenAnswer> {
  const [versions] = await owner<{ claimsVersion: number; directoryVersion: number }>(
    `SELECT s.claims_version AS "claimsVersion", c.directory_version AS "directoryVersion"
     FROM subjects s JOIN connections c ON c.id = s.connection_id WHERE s.id = $1`,
    [tenant.subjectId],
  )
  const { code } = await aGrant(fixture, tenant, { now, scopes: ['read', 'write'], ...(versions && { versions }) })
  const tokens = await client.redeem(code)
  expect(tokens).toMatchObject({ scope: 'read write' })
  return tokens
}

/** The same from both sides. */
async function lookAtMembers(directory: Directory, saved: Saved, names: readonly string[]): Promise<void> {
  const group = await directory.call('GET', `/Groups/${saved['group']}`)
  const members = ((group.body['members'] ?? []) as { value: string }[]).map(({ value }) => value)
  expect(new Set(members)).toEqual(new Set(names.map((name) => saved[name])))
  for (const name of ['ada', 'bob', 'cy'].filter((one) => saved[one] !== undefined)) {
    const { body } = await directory.call('GET', `/Users/${saved[name]}`)
    const groups = ((body['groups'] ?? []) as { value: string }[]).map(({ value }) => value)
    expect([name, groups.includes(saved['group'] ?? '')]).toEqual([name, names.includes(name)])
  }
}

async function lookAtAccess(client: TokenClient, tokens: TokenAnswer, access: 'keeps' | 'loses'): Promise<void> {
  const said = await client.introspect(tokens.access_token)
  if (access === 'keeps') return expect(said).toMatchObject({ active: true, scope: 'read write' })
  expect(said).toEqual({ active: false })
  expect((await client.refresh(tokens.refresh_token)).scope).toBe('read')
}

describe('the groups of', () => {
  test.each(sequencesIn<Step>(new URL('fixtures/group-sequences/', import.meta.url)))('%s (%s)', async (_client, name, { steps }) => {
    const tenant = await aCompany(name.replace('.json', ''))
    const directory = await directoryOf(fixture, broker.url, tenant, now)
    const client = aTokenClient(broker, tenant)
    const saved: Saved = {}
    let tokens: TokenAnswer | undefined
    for (const raw of steps) {
      const step = filled(raw, saved)
      await take(directory, step, saved)
      if (step.members !== undefined) await lookAtMembers(directory, saved, step.members)
      if (step.access === 'opens') tokens = await opened(tenant, client)
      else if (step.access !== undefined) await lookAtAccess(client, tokens as TokenAnswer, step.access)
    }
    // A sequence in which nobody loses anything would prove nothing.
    expect(steps.map(({ access }) => access)).toEqual(expect.arrayContaining(['opens', 'keeps', 'loses']))
  })
})
