/** How the token, revocation and introspection endpoints refuse a form that they cannot read. */
import { refuse } from '../clients/refuse.js'
import type { Answer } from '../http/answer.js'

/** By each of which a token may be asked for several targets, which is well formed: but ours are for one. @spec RFC 8707 §2, RFC 8693 §2.1, §2.2.2 */
const targets: readonly (string | undefined)[] = ['resource', 'audience']

/** A form that could not be read: absent, malformed or with a repeated parameter. */
export const refuseForm = ({ reason, parameter }: { readonly reason: string; readonly parameter?: string }): Answer =>
  reason === 'parameter_repeated' && targets.includes(parameter)
    ? refuse({ reason: 'resources_of_token_several' })
    : refuse({ reason: 'token_request_malformed', detail: { form: reason, ...(parameter ? { field: parameter } : {}) } })
