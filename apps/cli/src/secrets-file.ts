/**
 * What an embedded start makes at random and keeps: the master key and the passwords of its database.
 *
 * The file rests beside the database directory, never inside, readable by its owner only: a copy of the database opens nothing.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Secret } from '@drawbridge/core/secret'
import type { Random } from '@drawbridge/crypto/random'
import type { MasterKeySetting } from '@drawbridge/runtime/env'
import { z } from 'zod'

export type EmbeddedSecrets = {
  readonly masterKeys: readonly MasterKeySetting[]
  readonly ownerPassword: string
  readonly runtimePassword: string
}

const schema = z.strictObject({
  masterKeys: z.array(z.strictObject({ version: z.number().int().positive(), key: z.string() })).min(1),
  ownerPassword: z.string().min(16),
  runtimePassword: z.string().min(16),
})

/** Reads the file, or makes it. The new file takes its name only when it is complete. */
export function ensureSecrets(file: string, random: Random): EmbeddedSecrets {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    const fresh = {
      masterKeys: [{ version: 1, key: random.bytes(32).toString('base64') }],
      ownerPassword: random.token(),
      runtimePassword: random.token(),
    }
    writeFileSync(`${file}.new`, `${JSON.stringify(fresh, null, 2)}\n`, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (!parsed.success) throw new Error(`${file} is damaged. Put it back from a backup: without its master key nothing sealed can be opened`)
  return { ...parsed.data, masterKeys: parsed.data.masterKeys.map(({ version, key }) => ({ version, key: new Secret(key) })) }
}
