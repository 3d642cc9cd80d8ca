/** A client that says anew what it is, in whole. RFC 7592 §2.2 */
import { z } from 'zod'
import { err, ok, type Result } from '../result.js'
import type { ClientId } from '../tenant/ids.js'
import { type Client, type JudgedMember, judgedMembers } from './client.js'
import type { OAuthError } from './error.js'
import { judgedTextsOf } from './judged-client.js'
import { parseRegistrationRequest, type RegistrationOffer, type RegistrationRequest } from './registration-request.js'

export type RegistrationUpdate = {
  readonly metadata: RegistrationRequest
  /** The secret that it has, if it wants to keep that one. Left out like any member: the server says another. */
  readonly keptSecret: string | undefined
}

const wire = z.object({
  client_id: z.string(),
  client_secret: z.string().max(512).optional(),
  // Ours to say, never the client's.
  registration_access_token: z.undefined().optional(),
  registration_client_uri: z.undefined().optional(),
  client_secret_expires_at: z.undefined().optional(),
  client_id_issued_at: z.undefined().optional(),
})

/**
 * What is left out is as if it had never been said: the same parser as for a new client.
 *
 * @spec RFC 7592 §2.2 client_id must be the same; members of the server must not be sent
 */
export function parseRegistrationUpdate(
  body: unknown,
  id: ClientId,
  offer: RegistrationOffer = { certificates: false },
): Result<
  RegistrationUpdate,
  OAuthError<
    'registration_update_malformed' | 'registration_malformed' | 'registration_redirect_uri' | 'registration_post_logout_redirect_uri'
  >
> {
  const parsed = wire.safeParse(body)
  if (!parsed.success || parsed.data.client_id !== id)
    return err({ reason: 'registration_update_malformed', detail: { field: String(parsed.error?.issues[0]?.path[0] ?? 'client_id') } })
  const metadata = parseRegistrationRequest(body, offer)
  return metadata.ok ? ok({ metadata: metadata.value, keptSecret: parsed.data.client_secret }) : metadata
}

/** What an admin would judge anew. */
export function changedMembers(before: Client, after: Client): readonly JudgedMember[] {
  const [was, is] = [judgedTextsOf(before), judgedTextsOf(after)]
  return judgedMembers.filter((member) => was[member] !== is[member])
}

/** By what policy and persons know a client, and how it is told from others: with another one it is another client. */
const identifying: readonly JudgedMember[] = ['redirectUris', 'tokenEndpointAuthMethod', 'dpopBoundAccessTokens']

/** Whether what was granted to it before was granted to somebody else than it is now. */
export const isAnotherClient = (changed: readonly JudgedMember[]): boolean => changed.some((member) => identifying.includes(member))
