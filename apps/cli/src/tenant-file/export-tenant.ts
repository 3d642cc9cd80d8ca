/** `drawbridge export`: a tenant as one document. */
import type { Run } from '../admin/command.js'
import { isUnique, writeTenantFile } from './declare-tenant.js'
import { fetchTenant } from './fetch-tenant.js'

const refused = (status: number, title: string, detail: string) =>
  ({ kind: 'refused', refused: { status, reason: '', title, detail, errors: [] } }) as const

export const exportTenant: Run = async ({ arguments: { tenant: slug = '' } }, { client }) => {
  const read = await fetchTenant(client, slug)
  if (!read.ok) return { kind: 'refused', refused: read.error }
  const live = read.value
  if (live === undefined) return refused(404, 'Not found', `there is no tenant "${slug}", or none for this key`)
  const again = live.connections.find((connection) => !isUnique(live.connections, connection))
  if (again) return refused(409, 'Ambiguous', `two connections are called "${again.name}": rename one, drawbridge connection update --name`)
  const trust = live.assertionTrusts.find((each) => !isUnique(live.assertionTrusts, each))
  if (trust) return refused(409, 'Ambiguous', `two trusts are called "${trust.name}": rename one, drawbridge trust update --name`)
  const hook = live.webhooks.find((webhook) => !isUnique(live.webhooks, webhook))
  if (hook) return refused(409, 'Ambiguous', `two webhooks are called "${hook.name}": rename one, drawbridge webhook update --name`)
  return { kind: 'done', answer: { document: writeTenantFile(live) } }
}
