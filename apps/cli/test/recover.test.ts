/** A database that was restored or promoted is not served from until somebody has said what that means; on a real PostgreSQL with timelines. */
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrate } from '@drawbridge/cli/migrate'
import { openPlatform } from '@drawbridge/cli/platform'
import { runRecover } from '@drawbridge/cli/recover'
import { instant } from '@drawbridge/core/instant'
import { systemRandom } from '@drawbridge/crypto/random'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { readEnv } from '@drawbridge/runtime/env'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { insertSigningKey, listSigningKeys } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { aPlainPostgres, type PlainPostgres, productionOn } from './a-plain-postgres.js'

let postgres: PlainPostgres
beforeAll(async () => {
  postgres = await aPlainPostgres()
  await migrate(postgres.ownerUrl, postgres.runtimeUrl)
}, 120_000)
afterAll(() => postgres.remove())

const settingsWith = (over: Readonly<Record<string, string>> = {}) => readEnv({ ...productionOn(postgres), ...over })
const start = async (over: Readonly<Record<string, string>> = {}) => {
  const platform = await openPlatform(settingsWith(over), { kind: 'production' })
  await platform.close()
}
const recover = async (...words: string[]) => {
  const said: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)))
  try {
    expect(await runRecover(settingsWith(), words)).toBe(0)
  } finally {
    log.mockRestore()
  }
  return said.join('\n')
}
const epochs = async () =>
  (await asOwner<{ epoch: number }>(postgres.ownerUrl, 'SELECT epoch FROM tenants ORDER BY id')).map(({ epoch }) => epoch)
const trail = async () =>
  (
    await asOwner<{ kind: string }>(postgres.ownerUrl, "SELECT kind FROM audit_events WHERE kind LIKE 'installation.%' ORDER BY id", [])
  ).map(({ kind }) => kind)

/** What PostgreSQL does after a recovery to a point in time, and when a standby is promoted: it goes on on a new timeline. */
async function goOnElsewhere(): Promise<void> {
  await postgres.stop()
  appendFileSync(join(postgres.dataDirectory, 'postgresql.auto.conf'), "restore_command = 'false'\n")
  writeFileSync(join(postgres.dataDirectory, 'recovery.signal'), '')
  await postgres.start()
}

it('a start that finds another timeline refuses, until a recovery has ended what was issued', async () => {
  await start()
  await start()
  await aTenant({ ownerUrl: postgres.ownerUrl } as never, { slug: 'acme' })
  const before = await epochs()
  await goOnElsewhere()
  await expect(start()).rejects.toThrow(
    /restored or promoted since Drawbridge last ran on it \(timeline 1, now 2\).*run "drawbridge recover"/,
  )
  await expect(start()).rejects.toThrow('revocations may have been lost')
  expect(await recover()).toContain('sessions, grants, codes and tokens of 2 tenants')
  const after = await epochs()
  expect(after.every((epoch, nth) => epoch > (before[nth] ?? 0) + 1_000_000)).toBe(true)
  await start()
  expect(await trail()).toEqual(['installation.recovered'])
})

it('a tenant’s keys are condemned by a recovery, its keys are replaced by such as open, and it says what is open again, and since when', async () => {
  const tenant = await aTenant({ ownerUrl: postgres.ownerUrl } as never, { slug: 'globex' })
  const { tenantId, issuerId } = tenant
  const platform = await openPlatform(settingsWith(), { kind: 'production' })
  try {
    const { privateKey, ...key } = generateSigningKey(systemRandom(), 'tokens')
    await inTenant(platform.database, tenantId, async (db) => {
      const now = instant(Date.now())
      await insertSigningKey(db, tenantId, { ...key, issuerId, state: 'active', now, sealedPrivateKey: privateKey })
      const at = instant(Date.UTC(2026, 10, 30))
      await insertAuditEvent(db, tenantId, { at, kind: 'admin.killed', requestId: 'the last one' })
    })
    await platform.close()
    const said = await recover()
    expect(said).toContain('1 signing keys were condemned and replaced')
    expect(said).toContain('OPEN AGAIN is what was shut after 2026-11-30T00:00:00.000Z')
    expect(said).not.toContain('keys for SAML that were')
    const again = await openPlatform(settingsWith(), { kind: 'production' })
    try {
      const keys = await inTenant(again.database, tenantId, (db) => listSigningKeys(db, tenantId))
      expect(keys.map(({ id, state }) => (id === key.id ? `old ${state}` : state)).toSorted()).toEqual([
        'active',
        'next',
        'old compromised',
      ])
      for (const { id, state, sealedPrivateKey } of keys) {
        const place = { tenant: tenantId, table: 'signing_keys', column: 'sealed_private_key', row: id }
        const opened = again.sealer.open(sealedPrivateKey, { installation: again.installation.installationId, ...place })
        expect(opened.ok).toBe(state !== 'compromised')
      }
    } finally {
      await again.close()
    }
  } finally {
    await platform.close()
  }
})

it('whoever knows that nothing was lost says so, and nothing ends', async () => {
  await start()
  const before = await epochs()
  await goOnElsewhere()
  await expect(start()).rejects.toThrow('now 3')
  expect(await recover('--nothing-lost')).toContain('nothing was lost')
  await start()
  expect(await epochs()).toEqual(before)
  expect((await trail()).at(-1)).toBe('installation.promoted')
})

it('a process that lives through it stops, and reads nothing from the other history meanwhile', async () => {
  let isLost = false
  const onLostHistory = () => {
    isLost = true
  }
  const platform = await openPlatform(settingsWith(), { kind: 'production', onLostHistory })
  const ask = () => platform.database.hotPool.query('SELECT 1')
  try {
    await ask()
    await goOnElsewhere()
    for (const pool of [platform.database.hotPool, platform.database.tenantPool, platform.database.acrossPool])
      await expect(pool.query('SELECT 1')).rejects.toThrow('another history')
    await vi.waitUntil(() => isLost, { timeout: 30_000 })
    await expect(ask()).rejects.toThrow('another history')
  } finally {
    await platform.close()
  }
  await recover('--nothing-lost')
})

it('a process goes on by itself once somebody has said that nothing was lost', async () => {
  const platform = await openPlatform(settingsWith(), { kind: 'production', onLostHistory: () => undefined })
  const isServed = () =>
    platform.database.hotPool.query('SELECT 1').then(
      () => true,
      () => false,
    )
  try {
    await goOnElsewhere()
    expect(await isServed()).toBe(false)
    await recover('--nothing-lost')
    await vi.waitUntil(isServed, { timeout: 30_000 })
  } finally {
    await platform.close()
  }
})

it('a database of another cluster is never taken for a promotion, whatever the failover loses', async () => {
  await start()
  await asOwner(postgres.ownerUrl, `UPDATE installation SET database_cluster = '7'`)
  await expect(start()).rejects.toThrow('restored into another PostgreSQL')
  await recover('--nothing-lost')
})

it('a failover that loses nothing needs a standby that PostgreSQL waits for', async () => {
  await expect(start({ DRAWBRIDGE_FAILOVER: 'lossless' })).rejects.toThrow('set synchronous_standby_names')
})

it('a production whose commits are answered before they are durable does not start', async () => {
  await asOwner(postgres.ownerUrl, 'ALTER DATABASE drawbridge SET synchronous_commit = off')
  await expect(start()).rejects.toThrow('a revocation could be lost')
  await asOwner(postgres.ownerUrl, 'ALTER DATABASE drawbridge RESET synchronous_commit')
  await start()
})

it('a production whose server does not write to the disk before it answers does not start', async () => {
  const forgetful = await testDatabase({ waitsForCommits: true })
  try {
    await start({ DATABASE_URL: forgetful.url })
    await asOwner(forgetful.ownerUrl, 'DROP FUNCTION says_durable.current_setting')
    await expect(start({ DATABASE_URL: forgetful.url })).rejects.toThrow('a power cut could take a revocation back')
  } finally {
    await forgetful.close()
  }
})

it('knows its one word', async () => {
  await expect(runRecover(settingsWith(), ['--nothing-at-all'])).rejects.toThrow('it takes --nothing-lost')
})
