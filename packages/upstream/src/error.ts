/** Every reason why an upstream login or a connection's configuration is refused, with its cause and its remedy in plain words. */
import { connectionErrors } from './connection-error.js'
import type { UpstreamErrorEntry } from './error-entry.js'
import { oidcErrors } from './oidc/error.js'
import { samlLogoutErrors } from './saml/logout-error.js'
import { samlMessageErrors } from './saml/message-error.js'
import { samlPartyErrors } from './saml/party-error.js'
import { samlProfileErrors } from './saml/profile-error.js'

export const upstreamErrors = {
  ...samlMessageErrors,
  ...samlPartyErrors,
  ...samlProfileErrors,
  ...samlLogoutErrors,
  ...oidcErrors,
  ...connectionErrors,
} as const satisfies Record<string, UpstreamErrorEntry>

export type UpstreamErrorReason = keyof typeof upstreamErrors

/** A refusal. `reason` names its line in the catalogue; `detail` is for log and admin and holds no secret and no personal value. */
export type UpstreamRefusal = {
  readonly reason: UpstreamErrorReason
  readonly detail?: Readonly<Record<string, string | number>>
  /** A signature of the IdP had held before this was found: what is refused are its own words. */
  readonly proven?: true
}

const entryOf = ({ reason }: UpstreamRefusal): UpstreamErrorEntry => upstreamErrors[reason]

/** Whether the message was proven to come from the IdP before it was refused. */
export const isProven = (refusal: UpstreamRefusal): boolean => entryOf(refusal).proven === true
