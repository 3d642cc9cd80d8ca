/** How the token, revocation and introspection endpoints refuse a form that they cannot read. */
import { refuse } from '../clients/refuse.js'
import type { Answer } from '../http/answer.js'

/** A form that could not be read: absent, malformed or with a repeated parameter. Several resources are well formed (RFC 8707 §2), but ours are one per token. */
export const refuseForm = ({ reason, parameter }: { readonly reason: string; readonly parameter?: string }): Answer =>
  reason === 'parameter_repeated' && parameter === 'resource'
    ? refuse({ reason: 'resources_of_token_several' })
    : refuse({ reason: 'token_request_malformed', detail: { form: reason, ...(parameter ? { field: parameter } : {}) } })
