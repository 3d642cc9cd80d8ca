/** A wall is tried on more tenants than one answer tells, or than one request has time for. */
import { instant } from '@drawbridge/core/instant'
import { compileWall, type Wall } from '@drawbridge/core/policy/compile'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { effectsOfWall, showEffects, wallEffectLimits } from './wall-effects.js'

let fixture: TestDatabase
const slugs = ['acme', 'beta', 'gamma']

beforeAll(async () => {
  fixture = await testDatabase()
  const document = 'version: 1\nlimits: { read: { accessTokenSeconds: 1800 } }'
  for (const slug of slugs) {
    const { tenantId } = await aTenant(fixture, { slug })
    await inTenant(fixture.database, tenantId, (db) => publishPolicy(db, tenantId, { document, author: 'test', now: instant(Date.now()) }))
  }
})
afterAll(() => fixture?.close())

function shortWall(): Wall {
  const wall = compileWall('version: 1\nlimits: { read: { accessTokenSeconds: 600 } }')
  if (!wall.ok) throw new Error(JSON.stringify(wall.error))
  return wall.value
}
const tried = async (limits: Partial<Record<keyof typeof wallEffectLimits, number>>, after?: string) =>
  showEffects(await effectsOfWall(fixture, shortWall(), after, { ...wallEffectLimits, ...limits }))

it('tells of as many tenants as fit, and counts the others', async () => {
  const { changed, leftOut, looked, next } = await tried({ tenantsShown: 2 })
  expect(changed.map(({ tenant }) => tenant)).toEqual(['acme', 'beta'])
  expect({ leftOut, looked, next }).toEqual({ leftOut: 1, looked: 3, next: null })
})

it('looks at one tenant even where there is no time left, says where to go on, and so comes to all of them', async () => {
  const found: string[] = []
  let after: string | undefined
  for (let round = 0; round < slugs.length; round += 1) {
    const { changed, looked, next } = await tried({ milliseconds: 0 }, after)
    expect(looked).toBe(1)
    found.push(...changed.map(({ tenant }) => tenant))
    if (next === null) break
    after = next
  }
  expect(found).toEqual(slugs)
})
