/** The peer's SCIM server on the same PostgreSQL, asked the same. */
import { asOwner } from '@drawbridge/testkit/database'
import { createSender, type Measured, measure } from '../closed-loop.js'
import type { Laboratory } from '../laboratory.js'
import { scimWorkloads } from '../scim-workloads.js'
import { uncounted } from '../statement-count.js'
import { startPeer } from './peer-server.js'
import type { ScimmySetting } from './scimmy-server.js'

const token = 'bench'

export async function measureScimmy(laboratory: Laboratory, folder: string, isTrial: boolean): Promise<readonly Measured[]> {
  const program = { database: 'scimmy', program: 'scimmy-server.js', says: true }
  const server = await startPeer(laboratory, program, ({ port, databaseUrl }): ScimmySetting => ({ folder, port, databaseUrl, token }))
  const sender = createSender(server.url)
  const analyze = () => asOwner(server.databaseUrl, 'ANALYZE').then(() => undefined)
  const watched = { serverPid: server.pid, databasePid: laboratory.databasePid, counter: { ...uncounted, analyze } }
  try {
    const measured: Measured[] = []
    for (const workload of scimWorkloads({ sender, base: '/scim', headers: { authorization: `Bearer ${token}` } }, isTrial)) {
      console.error(`  SCIMMY: ${workload.name} …`)
      measured.push(await measure(workload, watched))
    }
    return measured
  } finally {
    sender.close()
    await server.stop()
  }
}
