/** Commands of domains that need several calls. */
import type { Run } from './command.js'
import { fillPath, resolveNames } from './make-call.js'

export const addDomain: Run = async ({ arguments: named, body }, { client }) => {
  const { connection, ...said } = body
  const resolved = typeof connection === 'string' ? await resolveNames({ ...named, connection }, client) : undefined
  if (resolved && !resolved.ok) return { kind: 'refused', refused: resolved.error }
  const connectionId = resolved?.value.connection
  const draft = { domain: named.domain, ...(connectionId === undefined ? {} : { connectionId }), ...said }
  const answered = await client.call('POST', fillPath('/tenants/{tenant}/domains', named), draft)
  if (!answered.ok) return { kind: 'refused', refused: answered.error }
  const isVouched = said['verified'] === true
  return {
    kind: 'done',
    answer: answered.value,
    says: isVouched ? 'Proven by the word of the vendor.' : 'Publish the record of the challenge, then: drawbridge domain verify.',
  }
}
