/** `drawbridge doctor`: looks at machine and settings and says what is wrong, without changing anything. */
import { statfsSync } from 'node:fs'
import { connect } from 'node:net'
import { resolve } from 'node:path'
import { sayKmsRefusal } from '@drawbridge/crypto/kms-refusal'
import type { Settings } from '@drawbridge/runtime/env'
import { createDatabase } from '@drawbridge/store/database'
import { findInstallation } from '@drawbridge/store/installation'
import { pendingMigrations } from '@drawbridge/store/migrate'
import { custodyOf } from './master-keys.js'

type Finding = { readonly ok: boolean; readonly say: string }

const leastFreeBytes = 500_000_000

export async function runDoctor(settings: Settings): Promise<number> {
  const findings = [
    nodeVersion(),
    freeDisk(),
    mailServer(settings),
    ...(await keyManagement(settings)),
    ...(settings.databaseUrl ? [await database(settings.databaseUrl.reveal())] : await ports(settings)),
  ]
  for (const { ok, say } of findings) console.log(`${ok ? '  ok   ' : '  WRONG'} ${say}`)
  return findings.every(({ ok }) => ok) ? 0 : 1
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return { ok: major > 20 || (major === 20 && minor >= 19), say: `Node ${process.versions.node} (20.19 or newer is needed)` }
}

function freeDisk(): Finding {
  const { bavail, bsize } = statfsSync(resolve('.'))
  return { ok: bavail * bsize > leastFreeBytes, say: `${Math.round((bavail * bsize) / 1e6)} MB free on this disk` }
}

/** No mistake: many installations have no mail server. But then nobody is told of changes unless somebody looks. */
const mailServer = ({ smtpUrl }: Settings): Finding => ({
  ok: true,
  say:
    smtpUrl === undefined
      ? 'no mail server is set (DRAWBRIDGE_SMTP_URL): announcements to the contacts of tenants wait in the admin API'
      : 'announcements to the contacts of tenants go out by mail',
})

/** Asks the KMS as a start would. What it opens is thrown away. */
async function keyManagement(settings: Settings): Promise<readonly Finding[]> {
  const { kmsKey, wrappedMasterKeys, databaseUrl } = settings
  if (kmsKey === undefined) return []
  if (wrappedMasterKeys.length === 0 || databaseUrl === undefined)
    return [{ ok: true, say: 'DRAWBRIDGE_KMS_KEY is set, and there is no wrapped master key to ask it for' }]
  const installationId = await findInstallationId(databaseUrl.reveal())
  if (installationId === undefined)
    return [{ ok: false, say: 'whether the KMS unwraps the master keys cannot be said: it depends on the database, which says nothing' }]
  const opened = await custodyOf(settings).open(installationId)
  if (!opened.ok) return [{ ok: false, say: sayKmsRefusal(opened.error) }]
  for (const { key } of opened.value) key.fill(0)
  return [{ ok: true, say: `${kmsKey.arn} unwraps the master keys` }]
}

async function findInstallationId(url: string): Promise<string | undefined> {
  const opened = createDatabase({ url, connectionBudget: 4, onError: () => undefined })
  try {
    return (await findInstallation(opened))?.installationId
  } catch {
    return undefined
  } finally {
    await opened.close()
  }
}

async function database(url: string): Promise<Finding> {
  try {
    const pending = await pendingMigrations(url)
    return pending.length === 0
      ? { ok: true, say: 'the database answers and is up to date' }
      : { ok: false, say: `the database lacks ${pending.join(', ')}: run "drawbridge migrate"` }
  } catch (error) {
    // The runtime role may not read the book-keeping; that it could log in is what it can tell.
    if ((error as { code?: string }).code === '42501')
      return { ok: true, say: 'the database answers; whether it is up to date only its owner may see' }
    return { ok: false, say: `the database does not answer: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function ports(settings: Settings): Promise<Finding[]> {
  const wanted = [settings.port, settings.workerPort, settings.simulatorPort, settings.exampleServerPort, settings.embeddedDatabasePort]
  return Promise.all(wanted.filter((port) => port !== 0).map(freePort))
}

function freePort(port: number): Promise<Finding> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.destroy()
      done({ ok: false, say: `port ${port} is in use (by a running Drawbridge?)` })
    })
    socket.once('error', () => done({ ok: true, say: `port ${port} is free` }))
  })
}
