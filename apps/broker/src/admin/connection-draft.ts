/** What an admin says of a connection: metadata and bare fields become one configuration, which must parse before it is stored. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { parseConnection } from '@drawbridge/upstream/connection'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import { parseIdpMetadata, toConfiguration } from '@drawbridge/upstream/saml/idp-metadata'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import { refuseAdmin } from './refuse-admin.js'

const metadataMaxLength = 900_000
export const connectionDraft = z.strictObject({
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

export type ReadDraft = { readonly configuration: unknown; readonly warnings: readonly string[] }

export function readConnectionDraft(body: z.output<typeof connectionDraft>, deps: BrokerDeps): Result<ReadDraft, Answer> {
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
