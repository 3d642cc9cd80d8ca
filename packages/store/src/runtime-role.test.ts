/** The role of broker and worker is of the whole server: starts of several databases change it at once, and all of them succeed. */
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ensureRuntimeRole } from './migrate.js'

let fixtures: readonly TestDatabase[] = []
beforeAll(async () => {
  fixtures = [await testDatabase(), await testDatabase()]
})
afterAll(async () => {
  for (const { ownerUrl } of fixtures.slice(0, 1)) await asOwner(ownerUrl, 'DROP ROLE drawbridge_overtaken')
  for (const fixture of fixtures) await fixture.close()
})

it('is made and given a new password from two databases at once, again and again', async () => {
  for (let round = 0; round < 10; round += 1) {
    const role = { name: 'drawbridge_overtaken', password: `of round ${round}` }
    const urls = await Promise.all(fixtures.map(({ ownerUrl }) => ensureRuntimeRole(ownerUrl, role)))
    expect(urls.map((url) => new URL(url).username)).toEqual(fixtures.map(() => role.name))
  }
})
