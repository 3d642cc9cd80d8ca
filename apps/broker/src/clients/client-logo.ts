/** Fetches what stands where a client says that its logo is. For an admin who looks; no person's browser and no person's request ever goes there. */
import { logoLimits, type NoPicture, type Picture, readPicture } from '@drawbridge/core/oauth/client-logo'
import { err, ok, type Result } from '@drawbridge/core/result'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { BrokerDeps } from '../deps.js'

const fetchTimeoutMs = 5_000

export type FetchedLogo = Picture & { readonly digest: string; readonly octets: Buffer }
/** `why`: what `fetchSafely` says, or the status. */
export type NoLogo = { readonly reason: NoPicture | 'logo_unreachable'; readonly why?: string }

/** @spec OAuth CIMD, displaying logos to end-users: fetched by the server, within limits, so that its contents can be looked at */
export async function fetchClientLogo(deps: Pick<BrokerDeps, 'fetchSafely'>, logoUri: string): Promise<Result<FetchedLogo, NoLogo>> {
  const fetched = await deps.fetchSafely(logoUri, {
    maxBytes: logoLimits.octets,
    timeoutMs: fetchTimeoutMs,
    headers: { accept: 'image/png, image/webp, image/jpeg, image/gif' },
  })
  if (!fetched.ok)
    return err(
      fetched.error.reason === 'too_large' ? { reason: 'logo_too_large' } : { reason: 'logo_unreachable', why: fetched.error.reason },
    )
  const { status, body } = fetched.value
  if (status !== 200) return err({ reason: 'logo_unreachable', why: `status ${status}` })
  const picture = readPicture(body)
  return picture.ok ? ok({ ...picture.value, digest: sha256Base64url(body), octets: body }) : err({ reason: picture.error })
}
