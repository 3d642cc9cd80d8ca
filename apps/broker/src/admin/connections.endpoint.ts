/** Connections and domains: whoever writes them decides who can be whom, so all of it is `impersonate`. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import {
  findConnection,
  insertConnection,
  listConnections,
  markConnectionDisabled,
  type StoredConnection,
  updateConnection,
} from '@drawbridge/store/connections'
import { insertDomain, listDomains } from '@drawbridge/store/domains'
import { inTenant } from '@drawbridge/store/transaction'
import { parseConnection } from '@drawbridge/upstream/connection'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import { parseIdpMetadata, toConfiguration } from '@drawbridge/upstream/saml/idp-metadata'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { type Answer, empty, json } from '../http/answer.js'
import { tenantOf } from '../http/endpoint.js'
import { adminEndpoint, audit, idParam, refuseAdmin, toIso } from './admin-endpoint.js'
import { sealConnectionSecret } from './new-key.js'

const tag = 'Connections'
const metadataMaxLength = 900_000
const draft = z.strictObject({
  kind: z.enum(['saml', 'oidc']),
  name: z.string().trim().min(1).max(200),
  metadataXml: z
    .string()
    .max(metadataMaxLength)
    .optional()
    .describe('SAML: the IdP’s metadata document; fields in configuration win over it'),
  entityId: z.string().max(1024).optional().describe('SAML: which entity of the metadata, when it holds several'),
  configuration: z.record(z.string(), z.unknown()).default({}).describe('Bare fields of the connection'),
  clientSecret: z.string().min(1).max(1024).optional().describe('OIDC: sealed, never shown again'),
})
type Draft = z.output<typeof draft>

const show = (connection: StoredConnection) => ({
  id: connection.id,
  kind: connection.kind,
  name: connection.name,
  configuration: connection.configuration,
  hasSecret: connection.sealedSecret !== undefined,
  disabledAt: toIso(connection.disabledAt),
  createdAt: toIso(connection.createdAt),
})

/** Metadata and bare fields become one configuration, which must parse before it is stored. */
function readDraft(
  body: Draft,
  deps: BrokerDeps,
): Result<{ readonly configuration: unknown; readonly warnings: readonly string[] }, Answer> {
  let configuration: Record<string, unknown> = { ...body.configuration }
  let warnings: readonly string[] = []
  if (body.metadataXml !== undefined) {
    if (body.kind !== 'saml')
      return err(refuseAdmin('metadata_invalid', [{ path: 'metadataXml', message: 'only a SAML connection has metadata' }]))
    const metadata = parseIdpMetadata(body.metadataXml, deps.clock.now(), body.entityId)
    if (!metadata.ok) return err(refuseAdmin('metadata_invalid', [explain(metadata.error, 'metadataXml')]))
    configuration = { ...toConfiguration(metadata.value), ...configuration }
    warnings = metadata.value.warnings
  }
  const parsed = parseConnection(body.kind, configuration)
  return parsed.ok ? ok({ configuration, warnings }) : err(refuseAdmin('connection_invalid', [explain(parsed.error, 'configuration')]))
}

const explain = (refusal: UpstreamRefusal, path: string) => {
  const detail = refusal.detail as Readonly<Record<string, string | number>> | undefined
  const member = detail?.['member']
  return {
    path: member === undefined ? path : `${path}.${member}`,
    message: [refusal.reason, detail?.['message']].filter(Boolean).join(': '),
  }
}

const list = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/connections',
  tag,
  summary: 'List connections',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    return json({ connections: (await inTenant(deps.database, id, (db) => listConnections(db, id))).map(show) })
  },
})

const create = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections',
  tag,
  summary: 'Add a connection, from SAML metadata or bare fields',
  permission: 'impersonate',
  body: draft,
  status: 201,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const read = readDraft(http.parsed, deps)
    if (!read.ok) return read.error
    const id = deps.random.uuid() as ConnectionId
    const { kind, name, clientSecret } = http.parsed
    const sealedSecret = clientSecret === undefined ? undefined : sealConnectionSecret(deps, tenant.id, id, clientSecret)
    const stored = await inTenant(deps.database, tenant.id, async (db) => {
      await insertConnection(db, tenant.id, {
        id,
        kind,
        name,
        configuration: read.value.configuration,
        sealedSecret,
        now: deps.clock.now(),
      })
      await audit(db, tenant.id, http, deps, { kind: 'connection.created', connectionId: id, detail: { name } })
      return findConnection(db, tenant.id, id)
    })
    return json({ ...show(stored as StoredConnection), warnings: read.value.warnings }, { status: 201 })
  },
})

const update = adminEndpoint({
  method: 'PUT',
  path: '/tenants/:tenant/connections/:id',
  tag,
  summary: 'Replace a connection’s name and configuration; its kind stays',
  permission: 'impersonate',
  body: draft,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam(http) as ConnectionId | undefined
    if (id === undefined) return refuseAdmin('not_found')
    const read = readDraft(http.parsed, deps)
    if (!read.ok) return read.error
    const { kind, name, clientSecret } = http.parsed
    const sealedSecret = clientSecret === undefined ? undefined : sealConnectionSecret(deps, tenant.id, id, clientSecret)
    const stored = await inTenant(deps.database, tenant.id, async (db) => {
      const before = await findConnection(db, tenant.id, id)
      if (before?.kind !== kind) return undefined
      await updateConnection(db, tenant.id, id, { name, configuration: read.value.configuration, sealedSecret })
      await audit(db, tenant.id, http, deps, { kind: 'connection.updated', connectionId: id, detail: { name } })
      return findConnection(db, tenant.id, id)
    })
    return stored ? json({ ...show(stored), warnings: read.value.warnings }) : refuseAdmin('not_found')
  },
})

const enable = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/connections/:id/enable',
  tag,
  summary: 'Let a killed connection sign people in again; nothing that died comes back',
  permission: 'impersonate',
  status: 204,
  run: async (http, deps) => {
    const tenant = tenantOf(http)
    const id = idParam(http) as ConnectionId | undefined
    if (id === undefined) return refuseAdmin('not_found')
    const found = await inTenant(deps.database, tenant.id, async (db) => {
      const changed = await markConnectionDisabled(db, tenant.id, id, undefined)
      if (changed) await audit(db, tenant.id, http, deps, { kind: 'connection.enabled', connectionId: id })
      return changed
    })
    return found ? empty() : refuseAdmin('not_found')
  },
})

const listAllDomains = adminEndpoint({
  method: 'GET',
  path: '/tenants/:tenant/domains',
  tag,
  summary: 'List e-mail domains',
  permission: 'configuration:read',
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const domains = await inTenant(deps.database, id, (db) => listDomains(db, id))
    return json({
      domains: domains.map(({ domain, connectionId, verifiedAt }) => ({
        domain,
        connectionId: connectionId ?? null,
        verifiedAt: toIso(verifiedAt),
      })),
    })
  },
})

const newDomain = z.strictObject({
  domain: z
    .string()
    .toLowerCase()
    .max(253)
    .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/, 'a domain name, in its ASCII form'),
  connectionId: z.uuid().optional(),
  verified: z.boolean().default(false).describe('Vendor keys only: the vendor vouches for the proof'),
})

const addDomain = adminEndpoint({
  method: 'POST',
  path: '/tenants/:tenant/domains',
  tag,
  summary: 'Add a domain; only the vendor may call it verified',
  permission: 'impersonate',
  body: newDomain,
  status: 201,
  run: async (http, deps) => {
    const { id } = tenantOf(http)
    const { domain, connectionId, verified } = http.parsed
    if (verified && !http.caller.isVendor) return refuseAdmin('vendor_only')
    const now = deps.clock.now()
    await inTenant(deps.database, id, async (db) => {
      await insertDomain(db, id, {
        domain,
        connectionId: connectionId as ConnectionId | undefined,
        verifiedAt: verified ? now : undefined,
        now,
      })
      await audit(db, id, http, deps, { kind: 'domain.added', connectionId, detail: { domain, verified } })
    })
    return json({ domain, connectionId: connectionId ?? null, verifiedAt: toIso(verified ? now : undefined) }, { status: 201 })
  },
})

export const connectionEndpoints = [list, create, update, enable, listAllDomains, addDomain]
