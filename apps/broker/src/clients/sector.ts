/** The sector of a client that is registered: what stands at its `sector_identifier_uri` is read once, then. */
import type { Client } from '@drawbridge/core/oauth/client'
import {
  decideSubjectType,
  listsRedirectUris,
  type SubjectType,
  sectorDocumentMaxBytes,
  sectorOf,
  subjectTypeOf,
} from '@drawbridge/core/oauth/subject-type'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { FetchGate } from '@drawbridge/runtime/fetch-gate'
import { parseJsonBody } from '../http/read-body.js'
import type { ResolvedTenant } from '../http/tenant.js'

const fetchTimeoutMs = 5_000

type Registered = Pick<Client, 'id' | 'kind' | 'redirectUris' | 'grantTypes' | 'sectorIdentifierUri'> & {
  readonly subjectType?: SubjectType | undefined
}

/** `undefined`: it knows people by the `sub` that everybody is told. `before`: the client as it is known already. */
export const sectorIdentifierOf = (
  { subjectTypes }: Pick<ResolvedTenant, 'subjectTypes'>,
  { subjectType: asked, ...client }: Registered,
  before?: Pick<Client, 'sectorIdentifier'>,
): string | undefined => {
  const decided = decideSubjectType({ asked, before: before && subjectTypeOf(before), kind: client.kind }, subjectTypes)
  return decided === 'public' ? undefined : sectorOf(client)
}

/**
 * Whether the document lists all of its redirect URIs, by which whoever owns its host says that they are of this sector. `busy`: it was not asked
 * for, because too much is under way.
 *
 * @spec OIDC Core §8.1; OIDC Registration §5
 */
export async function checkSectorDocument(
  gate: FetchGate,
  { sectorIdentifierUri: uri, redirectUris }: Pick<Client, 'sectorIdentifierUri' | 'redirectUris'>,
): Promise<Result<undefined, string>> {
  if (uri === undefined) return ok(undefined)
  const fetched = await gate.fetch(uri, {
    maxBytes: sectorDocumentMaxBytes,
    timeoutMs: fetchTimeoutMs,
    headers: { accept: 'application/json' },
  })
  if (!fetched.ok) return err(fetched.error.reason)
  if (fetched.value.status !== 200) return err('status')
  const parsed = parseJsonBody(fetched.value.body)
  return parsed.ok && listsRedirectUris(parsed.value, redirectUris) ? ok(undefined) : err('redirect_uri_not_listed')
}
