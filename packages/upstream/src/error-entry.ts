/** One line of the catalogue of refusals. */

export type UpstreamErrorEntry = {
  readonly code:
    | 'upstream_message_malformed'
    | 'upstream_message_refused'
    | 'upstream_login_failed'
    | 'upstream_unreachable'
    | 'connection_misconfigured'
  readonly status: 400 | 403 | 422 | 502 | 503
  readonly spec: string
  /** Every signature held before this was found: the refusal is the IdP's own doing, and belongs in the audit trail. */
  readonly proven?: true
  /** What happened. Shown to the person and to the tenant's admin, never with values from the message. */
  readonly cause: string
  /** What to do about it, and where. */
  readonly remedy: string
}

export const notFromIdp = 'Start the login again. If it happens every time, something between the IdP and here rewrites the message.'
export const attackOrBug = 'A genuine IdP never sends this. Treat it as an attack or a broken proxy; nothing needs to be changed here.'
