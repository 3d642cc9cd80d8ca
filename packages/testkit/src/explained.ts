/** What PostgreSQL reads to answer, from the plans of statements as they were carried out. */
import type { KeptStatement } from '@drawbridge/store/kept-statements'
import type { AcrossDb, Db } from '@drawbridge/store/transaction'

export type PlanNode = { readonly Plans?: readonly PlanNode[]; readonly 'Node Type': string; readonly 'Index Name'?: string } & Readonly<
  Record<string, unknown>
>
export type Explained = readonly { readonly 'QUERY PLAN': readonly [{ readonly Plan: PlanNode }] }[]

const below = (node: PlanNode): readonly PlanNode[] => [node, ...(node.Plans ?? []).flatMap(below)]
/** Of what EXPLAIN answered in JSON: every node of the plan. */
export const nodesOf = (explained: Explained): readonly PlanNode[] => explained.flatMap((row) => below(row['QUERY PLAN'][0].Plan))

export const isScan = (node: PlanNode): boolean => node['Node Type'].includes('Scan')

/**
 * Reads a whole table of those that grow, a whole tenant through an index that is there for something else, or all that has not expired through the
 * sweep's.
 */
export function isWide(node: PlanNode, growing: ReadonlySet<string>): boolean {
  if (!growing.has(String(node['Relation Name']))) return false
  if (node['Node Type'] === 'Seq Scan') return true
  const condition = String(node['Index Cond'])
  return /_(?:idx|key)$/.test(String(node['Index Name'])) && /^\((?:tenant_id = \$1|expires_at > \$\d+)\)$/.test(condition)
}

const lost = ['Rows Removed by Filter', 'Rows Removed by Index Recheck']
/** How many rows of these tables their scans took up, whether they kept them or not. */
export function rowsRead(nodes: readonly PlanNode[], tables: RegExp): number {
  const scans = nodes.filter((node) => isScan(node) && tables.test(String(node['Relation Name'])))
  const rowsOf = (node: PlanNode) =>
    ['Actual Rows', ...lost].reduce((sum, key) => sum + Number(node[key] ?? 0), 0) * Number(node['Actual Loops'])
  return Math.round(scans.reduce((sum, node) => sum + rowsOf(node), 0))
}

/** `db`, which carries each statement out twice: first to explain it, which is undone. `statements`: what each of them took, in order. */
export function explaining<Of extends Db | AcrossDb>(db: Of): { readonly db: Of; readonly statements: readonly (readonly PlanNode[])[] } {
  const statements: (readonly PlanNode[])[] = []
  const query = async (statement: string | KeptStatement, parameters?: readonly unknown[]) => {
    const text = typeof statement === 'string' ? statement : statement.text
    await db.query('SAVEPOINT explained')
    const { rows } = await db.query<Explained[number]>(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, parameters)
    await db.query('ROLLBACK TO SAVEPOINT explained')
    statements.push(nodesOf(rows))
    return db.query(statement, parameters)
  }
  return { db: { query } as unknown as Of, statements }
}
