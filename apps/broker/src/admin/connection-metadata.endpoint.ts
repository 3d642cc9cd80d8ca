/**
 * Metadata of SAML connections: look first, then apply. A look writes nothing; an apply names by its digest the very document that was
 * looked at. Whoever applies decides whose signature is believed, so all of it is `impersonate`.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { findConnection, lockConnection, type StoredConnection, updateConnection } from '@drawbridge/store/connections'
import { deleteMetadataSource, demandMetadata, findMetadataSource, putMetadataSource } from '@drawbridge/store/metadata-sources'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { parseConnection } from '@drawbridge/upstream/connection'
import type { SamlConnection } from '@drawbridge/upstream/connection-configuration'
import { demandPublicAddresses } from '@drawbridge/upstream/public-addresses'
import { compareMetadata } from '@drawbridge/upstream/saml/metadata-changes'
import type { MetadataConfiguration } from '@drawbridge/upstream/saml/metadata-diagnosis'
import { isError } from '@drawbridge/upstream/saml/metadata-findings'
import { planRollover, type Withdrawn } from '@drawbridge/upstream/saml/metadata-rollover'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam } from './admin-endpoint.js'
import { explainRefusal } from './connection-draft.js'
import { firstLookAt, metadataMembers, readGivenMetadata, refuseFindings } from './given-metadata.js'
import { ensureKeysFor } from './key-change.js'
import { showChange, showDiagnosis, shownChange, shownDiagnosis, shownSource, showSource } from './metadata-shapes.js'
import { endWhatTheOldIdpSaid } from './other-idp.js'
import { refuseAdmin } from './refuse-admin.js'
import { findTooLarge, refuseFull } from './tenant-room.js'

const tag = 'Connections'
const path = '/tenants/:tenant/connections/:id/metadata'
const given = z.strictObject(metadataMembers)

const diagnoseGiven = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/diagnose-metadata',
  tag,
  summary: 'Say what metadata holds, what is wrong with it and how to mend it; nothing is written',
  permission: 'impersonate',
  body: given,
  answer: shownDiagnosis,
  refuses: ['metadata_invalid'],
  run: async (http, deps) => {
    const read = await readGivenMetadata(http.parsed, deps)
    return read.ok ? json(showDiagnosis(read.value.diagnosis)) : read.error
  },
})

const previewed = z.strictObject({ diagnosis: shownDiagnosis, change: shownChange.nullable().describe('null: it cannot be used') })
const preview = adminEndpoint({
  method: 'POST',
  path: `${path}/preview`,
  tag,
  summary: 'Say what metadata would change in a connection; nothing is written',
  permission: 'impersonate',
  body: given,
  answer: previewed,
  refuses: ['not_found', 'metadata_invalid'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    const stored = id && (await inTenant(deps.database, tenant, (db) => findConnection(db, tenant, id)))
    const active = readActive(stored)
    if (!active) return refuseAdmin('not_found')
    const read = await readGivenMetadata(http.parsed, deps)
    if (!read.ok) return read.error
    const { configuration } = read.value.diagnosis
    const change = configuration && compareMetadata(active, configuration)
    return json({ diagnosis: showDiagnosis(read.value.diagnosis), change: change ? showChange(change) : null })
  },
})

/** Undefined where there is no SAML connection that could be compared. */
function readActive(stored: StoredConnection | undefined): SamlConnection | undefined {
  const parsed = stored && parseConnection(stored.kind, stored.configuration)
  return parsed?.ok && parsed.value.kind === 'saml' ? parsed.value : undefined
}

const applied = z.strictObject({ configuration: z.unknown(), change: shownChange, source: shownSource })
const apply = adminEndpoint({
  method: 'POST',
  path: `${path}/apply`,
  tag,
  summary: 'Use the metadata that was looked at: entity ID, address and certificates; all else of the connection stays',
  permission: 'impersonate',
  body: z.strictObject({
    ...metadataMembers,
    digest: z.string().describe('Of the document that was looked at; another one is refused'),
    keepOldCertificates: z
      .boolean()
      .default(true)
      .describe('Trust what the metadata no longer lists for the time of a rollover; false: a key was stolen'),
  }),
  answer: applied,
  refuses: ['not_found', 'metadata_invalid', 'metadata_moved', 'connection_invalid', 'tenant_full'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    if (id === undefined) return refuseAdmin('not_found')
    const read = await readGivenMetadata(http.parsed, deps)
    if (!read.ok) return read.error
    const { diagnosis, source } = read.value
    if (diagnosis.digest !== http.parsed.digest) return refuseAdmin('metadata_moved')
    const member = source.url === undefined ? 'metadataXml' : 'metadataUrl'
    const offered = diagnosis.configuration
    if (offered === undefined) return refuseFindings(diagnosis.findings.filter(isError), member)
    const keepOld = http.parsed.keepOldCertificates
    return inTenant(deps.database, tenant, async (db) => {
      const stored = await lockConnection(db, tenant, id)
      const plan = await planApply(db, deps, { stored, tenant, offered, keepOld })
      if (!plan.ok) return plan.error
      const { configuration, change, withdrawn, name } = plan.value
      const full = await findTooLarge(db, tenant, { id, configuration })
      if (full) return refuseFull(full)
      await updateConnection(db, tenant, id, { name, configuration })
      await ensureKeysFor(db, deps, tenantOf(http), { kind: 'saml', configuration })
      const nextFetchAt = firstLookAt(deps, source.url, withdrawn)
      await putMetadataSource(db, tenant, id, { ...source, withdrawn, nextFetchAt, now: deps.clock.now() })
      const detail = { url: source.url, digest: source.digest, change, keepOld }
      await audit(db, tenant, http, deps, { kind: 'connection.metadata_applied', connectionId: id, detail })
      if (stored) await endWhatTheOldIdpSaid({ db, tenant, http, deps }, stored, configuration)
      const kept = await findMetadataSource(db, tenant, id)
      return kept ? json({ configuration, change: showChange(change), source: showSource(kept) }) : refuseAdmin('not_found')
    })
  },
})

type ToApply = {
  readonly stored: StoredConnection | undefined
  readonly tenant: StoredTenant
  readonly offered: MetadataConfiguration
  readonly keepOld: boolean
}
type StoredTenant = Parameters<typeof findMetadataSource>[1]
type Plan = {
  readonly name: string
  readonly configuration: unknown
  readonly change: ReturnType<typeof compareMetadata>
  readonly withdrawn: readonly Withdrawn[]
}

/** Who was signed in there is nobody that another IdP should hear of from us, or that one of this. */
const withoutLogout = (configuration: object): object =>
  Object.fromEntries(Object.entries(configuration).filter(([member]) => !member.startsWith('slo')))

/** Another entity is another IdP: nothing of the one before is trusted beside it, and it is told of no logout. */
async function planApply(db: Db, deps: BrokerDeps, { stored, tenant, offered, keepOld }: ToApply): Promise<Result<Plan, Answer>> {
  const active = readActive(stored)
  if (!stored || !active) return err(refuseAdmin('not_found'))
  const source = await findMetadataSource(db, tenant, stored.id)
  const trusted = keepOld && active.idpEntityId === offered.idpEntityId ? active.certificates : []
  const now = deps.clock.now()
  const rollover = planRollover({ trusted, offered: offered.certificates, withdrawn: source?.withdrawn ?? [], now })
  const used = { ...offered, certificates: rollover.certificates }
  const kept = active.idpEntityId === offered.idpEntityId ? (stored.configuration as object) : withoutLogout(stored.configuration as object)
  const configuration = { ...kept, ...used }
  const parsed = demandPublicAddresses(deps.settings.publicUrl, parseConnection('saml', configuration))
  if (!parsed.ok) return err(refuseAdmin('connection_invalid', [explainRefusal(parsed.error, 'configuration')]))
  return ok({ name: stored.name, configuration, change: compareMetadata(active, used), withdrawn: rollover.withdrawn })
}

const read = adminEndpoint({
  method: 'GET',
  path,
  tag,
  summary: 'Say where a connection’s metadata comes from, what the last look found and when the next one is',
  permission: 'configuration:read',
  answer: shownSource,
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    const source = id && (await inTenant(deps.database, tenant, (db) => findMetadataSource(db, tenant, id)))
    return source ? json(showSource(source)) : refuseAdmin('not_found')
  },
})

const refetch = adminEndpoint({
  method: 'POST',
  path: `${path}/refetch`,
  tag,
  summary: 'Have the worker fetch the metadata now; what it may change by itself it changes',
  permission: 'impersonate',
  status: 202,
  answer: z.strictObject({ nextFetchAt: z.iso.datetime() }),
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    const now = deps.clock.now()
    if (id === undefined) return refuseAdmin('not_found')
    const asked = await inTenant(deps.database, tenant, async (db) => {
      const hasAddress = await demandMetadata(db, tenant, id, now)
      if (hasAddress) await audit(db, tenant, http, deps, { kind: 'connection.metadata_demanded', connectionId: id })
      return hasAddress
    })
    return asked ? json({ nextFetchAt: new Date(now).toISOString() }, { status: 202 }) : refuseAdmin('not_found')
  },
})

const forget = adminEndpoint({
  method: 'DELETE',
  path,
  tag,
  summary: 'Fetch a connection’s metadata no more; what is configured stays',
  permission: 'impersonate',
  refuses: ['not_found'],
  run: async (http, deps) => {
    const { id: tenant } = tenantOf(http)
    const id = idParam<ConnectionId>(http)
    if (id === undefined) return refuseAdmin('not_found')
    const found = await inTenant(deps.database, tenant, async (db) => {
      const removed = await deleteMetadataSource(db, tenant, id)
      if (removed) await audit(db, tenant, http, deps, { kind: 'connection.metadata_source_removed', connectionId: id })
      return removed
    })
    return found ? empty() : refuseAdmin('not_found')
  },
})

export const connectionMetadataEndpoints = [diagnoseGiven, preview, apply, read, refetch, forget]
