/** Federation: what a login costs us and what it costs the others, in one run and on one machine. */
import { createSender, measure } from './closed-loop.js'
import { type FederationRow, federationAims, federationRows, federationWorkloads } from './federation-workloads.js'
import type { Laboratory } from './laboratory.js'
import { createStatementCounter } from './statement-count.js'
import { inMilliseconds, printTable } from './table.js'

/** Server + PostgreSQL, CPU ms per operation; a library has no server. */
export type Figure = { readonly serverCpuMs: number; readonly databaseCpuMs?: number | undefined; readonly statements?: number }
export type Column = { readonly name: string; readonly figures: Partial<Readonly<Record<FederationRow, Figure>>> }

export async function measureOurs(laboratory: Laboratory, brokerPid: number, isTrial: boolean): Promise<readonly Column[]> {
  const counter = await createStatementCounter(laboratory.fixture.ownerUrl)
  const sender = createSender(laboratory.brokerUrl)
  const columns: Column[] = []
  try {
    for (const reader of ['xml-signature', 'xml-crypto'] as const) {
      const figures: Partial<Record<FederationRow, Figure>> = {}
      for (const workload of federationWorkloads(laboratory, sender, { isTrial, reader })) {
        console.error(`  ${reader}: ${workload.name} …`)
        figures[workload.row] = await measure(workload, { serverPid: brokerPid, databasePid: laboratory.databasePid, counter })
      }
      columns.push({ name: `Drawbridge, ${reader}`, figures })
    }
  } finally {
    sender.close()
    await counter.close()
  }
  return columns
}

export function printColumns(columns: readonly Column[]): void {
  const rows = Object.keys(federationRows) as FederationRow[]
  printTable(
    'Federation, CPU ms per operation: server + PostgreSQL (a library: its own process)',
    ['operation', 'aim', ...columns.map(({ name }) => name), 'SQL of Drawbridge'],
    rows.map((row) => [
      federationRows[row],
      federationAims[row],
      ...columns.map(({ figures }) => show(figures[row])),
      columns[0]?.figures[row]?.statements?.toFixed(2) ?? '',
    ]),
  )
}

function show(figure: Figure | undefined): string {
  if (figure === undefined) return ''
  const { serverCpuMs, databaseCpuMs } = figure
  return databaseCpuMs === undefined ? inMilliseconds(serverCpuMs) : `${inMilliseconds(serverCpuMs)} + ${inMilliseconds(databaseCpuMs)}`
}
