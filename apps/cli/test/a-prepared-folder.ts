/**
 * A data directory whose PostgreSQL is made and migrated already, and nothing else: what of a first start takes longest. It is made once per run
 * and copied; tests of the first start itself begin with an empty directory.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedDatabase } from '@drawbridge/cli/embedded-database'
import { readEnv } from '@drawbridge/runtime/env'
import { freePort } from '@drawbridge/store/embedded-postgres'

/** `lab` and `demo` name their files differently, and hold the same until a start writes into the database what it is. */
export type Flavour = 'demo' | 'lab'

/** Answers a new folder, with such a directory as `data` in it. */
export async function aPreparedFolder(name: string, flavour: Flavour = 'demo'): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), name))
  chmodSync(folder, 0o755) // or the data of a run as root would rest below /var/tmp
  const from = await prepared()
  const to = join(folder, 'data')
  mkdirSync(to)
  for (const file of readdirSync(from)) {
    // Owners too, which only the command copies: as root, the server is another user's.
    const copied = spawnSync('cp', ['-a', join(from, file), join(to, file.replace(/^demo-/, `${flavour}-`))], { encoding: 'utf8' })
    if (copied.status !== 0) throw new Error(`the prepared database could not be copied: ${copied.stderr}`)
  }
  return folder
}

async function prepared(): Promise<string> {
  const place = join(tmpdir(), 'drawbridge prepared')
  if (existsSync(place)) return place
  const unfinished = mkdtempSync(`${place} unfinished `)
  chmodSync(unfinished, 0o755)
  const port = String(await freePort())
  const made = await openEmbeddedDatabase(readEnv({ DRAWBRIDGE_DATA_DIRECTORY: unfinished, DRAWBRIDGE_EMBEDDED_DATABASE_PORT: port }))
  await made.stop()
  try {
    renameSync(unfinished, place)
  } catch (error) {
    if (!existsSync(place)) throw error
    rmSync(unfinished, { recursive: true, force: true }) // another worker was quicker
  }
  return place
}
