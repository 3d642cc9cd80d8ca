/** The peer's SCIM server on the same PostgreSQL, asked the same. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { freePort } from '@drawbridge/store/embedded-postgres'
import { asOwner } from '@drawbridge/testkit/database'
import { createSender, type Measured, measure } from '../closed-loop.js'
import type { Laboratory } from '../laboratory.js'
import { scimWorkloads } from '../scim-workloads.js'
import { stopChild } from '../server-process.js'
import { uncounted } from '../statement-count.js'
import type { ScimmySetting } from './scimmy-server.js'

const token = 'bench'

export async function measureScimmy({ fixture, databasePid }: Laboratory, folder: string, isTrial: boolean): Promise<readonly Measured[]> {
  await asOwner(fixture.ownerUrl, 'CREATE DATABASE scimmy')
  const databaseUrl = new URL(fixture.ownerUrl)
  databaseUrl.pathname = '/scimmy'
  const port = await freePort()
  const setting: ScimmySetting = { folder, port, databaseUrl: databaseUrl.href, token }
  const program = fileURLToPath(new URL('scimmy-server.js', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(setting)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const sender = createSender(`http://127.0.0.1:${port}`)
  try {
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => line === '{}' && resolve())
      child.once('exit', (code) => reject(new Error(`SCIMMY ended with ${code} before it listened`)))
    })
    const measured: Measured[] = []
    for (const workload of scimWorkloads({ sender, base: '/scim', headers: { authorization: `Bearer ${token}` } }, isTrial)) {
      console.error(`  SCIMMY: ${workload.name} …`)
      const analyze = () => asOwner(databaseUrl.href, 'ANALYZE').then(() => undefined)
      measured.push(await measure(workload, { serverPid: child.pid as number, databasePid, counter: { ...uncounted, analyze } }))
    }
    return measured
  } finally {
    sender.close()
    await stopChild(child)
  }
}
