/** A process whose master keys are not those of its database does not start, and says what to do; a rotation passes, step by step. */
import { holdToMasterKeys } from '@drawbridge/cli/master-keys'
import { openPlatform } from '@drawbridge/cli/platform'
import { reseal } from '@drawbridge/cli/reseal'
import { systemRandom } from '@drawbridge/crypto/random'
import { createSealer } from '@drawbridge/crypto/seal'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { systemClock } from '@drawbridge/runtime/clock'
import { readEnv } from '@drawbridge/runtime/env'
import { ensureInstallation } from '@drawbridge/store/installation'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run, stackLine } from './a-process.js'

let fixture: TestDatabase
beforeEach(async () => {
  fixture = await testDatabase({ waitsForCommits: true })
})
afterEach(() => fixture.close())

const keyOf = (octet: number) => Buffer.alloc(32, octet).toString('base64')
const environmentOf = (masterKeys: string, current?: number) => ({
  DATABASE_URL: fixture.url,
  DRAWBRIDGE_MASTER_KEYS: masterKeys,
  ...(current === undefined ? {} : { DRAWBRIDGE_CURRENT_MASTER_KEY: String(current) }),
})
/** What every process does first. */
const start = async (masterKeys: string, current?: number) => {
  const platform = await openPlatform(readEnv(environmentOf(masterKeys, current)), { kind: 'demo' })
  await platform.close()
}
const resealWith = async (masterKeys: string) => {
  const platform = await openPlatform(readEnv(environmentOf(masterKeys)), { kind: 'demo' })
  try {
    return await reseal(platform)
  } finally {
    await platform.close()
  }
}
const [one, two] = [`1:${keyOf(1)}`, `2:${keyOf(2)}`]
const both = `${one},${two}`

describe('a start', () => {
  it('refuses another key under a version that is known, and keys of which none is known', async () => {
    await start(one)
    await expect(start(`1:${keyOf(9)}`)).rejects.toThrow(
      'version 1 in DRAWBRIDGE_MASTER_KEYS or DRAWBRIDGE_WRAPPED_MASTER_KEYS is not the key',
    )
    await expect(start(`7:${keyOf(1)}`)).rejects.toThrow(
      'knows none of the keys in DRAWBRIDGE_MASTER_KEYS or DRAWBRIDGE_WRAPPED_MASTER_KEYS, only version 1',
    )
    await start(one)
  })

  it('refuses the second of two processes that were given different new keys', async () => {
    await start(one)
    const outcomes = await Promise.allSettled([start(`${one},2:${keyOf(2)}`, 1), start(`${one},2:${keyOf(3)}`, 1)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it('of a database from before keys were recorded refuses keys that do not open what is sealed in it', async () => {
    const { tenantId, issuerId } = await aTenant(fixture, { slug: 'acme' })
    const now = systemClock().now()
    const made = { kind: 'demo' as const, installationId: systemRandom().uuid(), now }
    const { installationId: installation } = await ensureInstallation(fixture.database, made)
    const { privateKey, ...key } = generateSigningKey(systemRandom(), 'tokens')
    const context = { installation, tenant: tenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
    const sealedPrivateKey = createSealer([{ version: 1, key: Buffer.alloc(32, 1) }]).seal(privateKey, context)
    await inTenant(fixture.database, tenantId, (db) =>
      insertSigningKey(db, tenantId, { ...key, issuerId, state: 'active', now, sealedPrivateKey }),
    )
    await expect(start(`1:${keyOf(9)}`)).rejects.toThrow(
      'DRAWBRIDGE_WRAPPED_MASTER_KEYS opens what is sealed in this database (signing_keys.sealed_private_key)',
    )
    await start(one)
  })

  it('keeps of the keys nothing that a thief of the database could use', async () => {
    await start(one)
    const [row] = await asOwner<{ check_value: Buffer }>(fixture.ownerUrl, 'SELECT check_value FROM master_keys')
    expect(row?.check_value).toHaveLength(32)
    expect(row?.check_value.equals(Buffer.alloc(32, 1))).toBe(false)
  })
})

describe('a rotation', () => {
  it('passes step by step, and each step too early is refused', async () => {
    await start(one)
    await start(both, 1) // given out
    await start(one) // one that has not got it yet may still restart
    await start(both, 2) // used
    await expect(start(one)).rejects.toThrow('version 2 is missing')
    await expect(start(two)).rejects.toThrow('version 1 is missing')
    expect((await resealWith(both)).uses).toEqual([])
    await start(two)
    await expect(start(both, 1)).rejects.toThrow('version 1 of the master key was retired')
    const trail = await asOwner<{ kind: string; detail: Record<string, unknown> }>(
      fixture.ownerUrl,
      "SELECT kind, detail FROM audit_events WHERE kind LIKE 'master_key.%' ORDER BY id",
    )
    expect(trail).toMatchObject([
      { kind: 'master_key.resealed', detail: { version: 2, unopened: 0, stillInUse: [] } },
      { kind: 'master_key.retired', detail: { versions: [1] } },
    ])
  })

  it('does not retire a key that something still needs', async () => {
    await start(one)
    const { tenantId, connectionId } = await aTenant(fixture, { slug: 'acme' })
    const sealed = createSealer([{ version: 1, key: Buffer.alloc(32, 5) }]).seal(Buffer.from('x'), {
      installation: 'another',
      tenant: tenantId,
      table: 'connections',
      column: 'sealed_secret',
      row: connectionId,
    })
    await asOwner(fixture.ownerUrl, 'UPDATE connections SET sealed_secret = $1', [sealed])
    expect((await resealWith(both)).unopened).toHaveLength(1)
    await expect(start(two)).rejects.toThrow('version 1 is missing')
  })
})

it.each(['broker', 'worker', 'migrate'])('%s ends with 1 and a remedy, without a stack', async (name) => {
  await holdToMasterKeys({
    database: fixture.database,
    sealer: createSealer([{ version: 1, key: Buffer.alloc(32, 1) }]),
    installationId: (
      await ensureInstallation(fixture.database, { kind: 'production', installationId: systemRandom().uuid(), now: systemClock().now() })
    ).installationId,
    now: systemClock().now(),
  })
  const production = {
    NODE_ENV: 'production',
    DRAWBRIDGE_PUBLIC_URL: 'https://login.example.com',
    DRAWBRIDGE_PORT: '0',
    DRAWBRIDGE_WORKER_PORT: '0',
    DATABASE_OWNER_URL: fixture.ownerUrl,
  }
  const { code, output } = await run([name], { ...production, ...environmentOf(`1:${keyOf(9)}`) })
  expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('give every process the same keys') })
  expect(output).not.toMatch(stackLine)
  expect(output).not.toContain(keyOf(9))
})
