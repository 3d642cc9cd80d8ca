/** What an admin says of a connection: preset, metadata and bare fields become one configuration, which must parse before it is stored. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { forgetMetadataEtag, putMetadataSource } from '@drawbridge/store/metadata-sources'
import type { Db } from '@drawbridge/store/transaction'
import { type ConnectionConfiguration, parseConnection } from '@drawbridge/upstream/connection'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import { demandPublicAddresses, type Upstream } from '@drawbridge/upstream/public-addresses'
import { diagnoseCertificates } from '@drawbridge/upstream/saml/metadata-diagnosis'
import { isError, type MetadataFinding, severityOf } from '@drawbridge/upstream/saml/metadata-findings'
import { presetFor } from '@drawbridge/upstream/saml/metadata-vendors'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { firstLookAt, metadataMembers, type ReadMetadata, readGivenMetadata, refuseFindings } from './given-metadata.js'
import { refuseAdmin } from './refuse-admin.js'

export const connectionDraft = z.strictObject({
  kind: z.enum(['saml', 'oidc']),
  name: z.string().trim().min(1).max(200),
  ...metadataMembers,
  usePreset: z.boolean().default(true).describe('SAML: begin with what is proposed for the vendor that the metadata is of'),
  configuration: z.record(z.string(), z.unknown()).default({}).describe('Bare fields of the connection; they win over metadata and preset'),
  clientSecret: z.string().min(1).max(1024).optional().describe('OIDC: sealed, never shown again'),
})
export const connectionChange = connectionDraft.extend({
  clientSecret: connectionDraft.shape.clientSecret
    .nullable()
    .describe('OIDC: sealed, never shown again. Left out, the one that is kept stays, if it goes nowhere else; null removes it'),
  ifRevision: z.string().max(64).optional().describe('Refuses the change where the connection is no longer the one that was read'),
})
type Draft = Omit<z.output<typeof connectionDraft>, 'clientSecret'>

export type ReadDraft = {
  readonly configuration: unknown
  readonly warnings: readonly string[]
  readonly source: ReadMetadata['source'] | undefined
  /** In which the IdP says that it names people, by its metadata. */
  readonly nameIdFormats: readonly string[]
}

/** The same words make the same configuration, whether a connection is made with them or replaced. */
export async function readConnectionDraft(body: Draft, deps: BrokerDeps): Promise<Result<ReadDraft, Answer>> {
  const metadata = await readMetadataOf(body, deps)
  if (!metadata.ok) return metadata
  const configuration = { ...metadata.value?.proposed, ...body.configuration }
  const parsed = demandPublicAddresses(deps.settings.publicUrl, parseConnection(body.kind, configuration))
  if (!parsed.ok) return err(refuseAdmin('connection_invalid', [explainRefusal(parsed.error, 'configuration')]))
  const findings = metadata.value?.findings ?? findingsOf(parsed.value, deps)
  const warnings = findings.filter((finding) => severityOf(finding) === 'warning').map(({ code }) => code)
  return ok({ configuration, warnings, source: metadata.value?.source, nameIdFormats: metadata.value?.nameIdFormats ?? [] })
}

type Proposed = Pick<ReadDraft, 'nameIdFormats'> &
  Pick<ReadMetadata, 'source'> & { readonly proposed: Record<string, unknown>; readonly findings: readonly MetadataFinding[] }

async function readMetadataOf(body: Draft, deps: BrokerDeps): Promise<Result<Proposed | undefined, Answer>> {
  if (body.metadataXml === undefined && body.metadataUrl === undefined) return ok(undefined)
  if (body.kind !== 'saml')
    return err(refuseAdmin('metadata_invalid', [{ path: 'metadataXml', message: 'only a SAML connection has metadata' }]))
  const read = await readGivenMetadata(body, deps)
  if (!read.ok) return read
  const { diagnosis, source } = read.value
  const path = source.url === undefined ? 'metadataXml' : 'metadataUrl'
  if (diagnosis.configuration === undefined) return err(refuseFindings(diagnosis.findings.filter(isError), path))
  const preset = body.usePreset ? presetFor(diagnosis.vendor, diagnosis.facts?.wantsSignedRequests ?? false) : {}
  const nameIdFormats = diagnosis.facts?.nameIdFormats ?? []
  return ok({ source, nameIdFormats, findings: diagnosis.findings, proposed: { ...preset, ...diagnosis.configuration } })
}

const findingsOf = (configuration: ConnectionConfiguration, deps: BrokerDeps): readonly MetadataFinding[] =>
  configuration.kind === 'saml' ? diagnoseCertificates(configuration.certificates, deps.clock.now()) : []

/** Keeps where the metadata came from; a configuration written by hand is held against the address again, if there is one. */
export async function keepSource(
  db: Db,
  deps: BrokerDeps,
  tenant: TenantId,
  id: ConnectionId,
  { source }: Pick<ReadDraft, 'source'>,
): Promise<void> {
  if (source === undefined) return forgetMetadataEtag(db, tenant, id)
  const nextFetchAt = firstLookAt(deps, source.url, [])
  await putMetadataSource(db, tenant, id, { ...source, withdrawn: [], nextFetchAt, now: deps.clock.now() })
}

/** What is stored and leads to this machine is not let on again where the installation is public. */
export function refuseThisMachine(deps: BrokerDeps, stored: Result<Upstream, UpstreamRefusal>): Answer | undefined {
  const held = demandPublicAddresses(deps.settings.publicUrl, stored)
  if (held.ok || held.error.reason !== 'connection_url_loopback') return undefined
  return refuseAdmin('connection_invalid', [explainRefusal(held.error, 'configuration')])
}

/** A refused configuration in words, at the member that is wrong. */
export const explainRefusal = (refusal: UpstreamRefusal, path: string) => {
  const detail = refusal.detail as Readonly<Record<string, string | number>> | undefined
  const member = detail?.['member']
  return {
    path: member === undefined ? path : `${path}.${member}`,
    message: [refusal.reason, detail?.['message']].filter(Boolean).join(': '),
  }
}
