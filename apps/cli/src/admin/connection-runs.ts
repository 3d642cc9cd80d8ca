/** Commands of connections that need several calls: look, then change what was looked at. */
import { z } from 'zod'
import type { Refused } from './admin-client.js'
import type { Given, Outcome, Run } from './command.js'
import { fillPath, resolveNames } from './make-call.js'
import { showRecord } from './show.js'

const refusedBecause = (title: string, detail: string): Outcome => ({
  kind: 'refused',
  refused: { status: 400, reason: '', title, detail, errors: [] } satisfies Refused,
})

const path = '/tenants/{tenant}/connections'

export const diagnose: Run = async ({ arguments: named, body }, { client }) => {
  const given = [body['metadataXml'], body['metadataUrl'], body['issuer']].filter((each) => each !== undefined)
  if (given.length !== 1) return refusedBecause('Nothing to look at', 'say one of --metadata-file, --metadata-url and --issuer')
  const what = body['issuer'] === undefined ? 'diagnose-metadata' : 'diagnose-oidc'
  const answered = await client.call('POST', fillPath(`${path}/${what}`, named), body)
  return answered.ok ? { kind: 'done', answer: answered.value } : { kind: 'refused', refused: answered.error }
}

const readConfigured = z.looseObject({
  /** Of a connection; a trust has none. */
  kind: z.enum(['saml', 'oidc']).optional(),
  name: z.string(),
  configuration: z.record(z.string(), z.unknown()),
  revision: z.string(),
})

/** What is said is merged over what is there; the revision keeps what somebody else changed in between. */
const updateAt =
  (address: string): Run =>
  async (given, { client }) => {
    const named = await resolveNames(given.arguments, client)
    if (!named.ok) return { kind: 'refused', refused: named.error }
    const one = fillPath(address, named.value)
    const there = await client.call('GET', one)
    if (!there.ok) return { kind: 'refused', refused: there.error }
    const { kind, name, configuration, revision } = readConfigured.parse(there.value)
    const { unset = [], ...said } = given.body as Given['body'] & { readonly unset?: readonly string[] }
    const absent = unset.filter((member) => !Object.hasOwn(configuration, member))
    if (absent.length > 0) return refusedBecause('Nothing to take out', `the configuration has no ${absent.join(', ')}`)
    const kept = Object.fromEntries(Object.entries(configuration).filter(([member]) => !unset.includes(member)))
    const changed = { ...kept, ...(said['configuration'] as object | undefined) }
    const answered = await client.call('PUT', one, { ...(kind && { kind }), name, ...said, configuration: changed, ifRevision: revision })
    return answered.ok ? { kind: 'done', answer: answered.value } : { kind: 'refused', refused: answered.error }
  }

export const update = updateAt(`${path}/{connection}`)
export const updateTrust = updateAt('/tenants/{tenant}/assertion-trusts/{trust}')

const previewed = z.object({ diagnosis: z.looseObject({ digest: z.string(), findings: z.unknown() }), change: z.unknown() })

export const applyMetadata: Run = async (given, { client, confirm, say }) => {
  const named = await resolveNames(given.arguments, client)
  if (!named.ok) return { kind: 'refused', refused: named.error }
  const at = fillPath(`${path}/{connection}/metadata`, named.value)
  const { keepOldCertificates, ...metadata } = given.body
  const looked = await client.call('POST', `${at}/preview`, metadata)
  if (!looked.ok) return { kind: 'refused', refused: looked.error }
  const { diagnosis, change } = previewed.parse(looked.value)
  say(showRecord({ findings: diagnosis.findings, change }))
  if (change === null) return refusedBecause('Metadata not usable', 'it would leave the connection without what it needs; see above')
  const said = await confirm(`Use this metadata for ${given.arguments.connection ?? 'the connection'}?`)
  if (said !== 'agreed') return { kind: said }
  const old = keepOldCertificates === undefined ? {} : { keepOldCertificates }
  const answered = await client.call('POST', `${at}/apply`, { ...metadata, ...old, digest: diagnosis.digest })
  return answered.ok ? { kind: 'done', answer: answered.value } : { kind: 'refused', refused: answered.error }
}

/** Connections stand in the file by name, as people know them. */
export const setChoice: Run = async ({ arguments: named, body }, { client }) => {
  const { choiceShape } = await import('../tenant-file/shape.js')
  const read = choiceShape.safeParse(body['choice'])
  if (!read.success) {
    const mistakes = read.error.issues.map(({ path: at, message }) => `${at.join('.') || 'the file'}: ${message}`)
    return refusedBecause('No choice', mistakes.join('; '))
  }
  const { rules, fallback, ...rest } = read.data
  const ids = new Map<string, string | undefined>()
  for (const connection of [...rules.map((rule) => rule.connection), ...(fallback === undefined ? [] : [fallback])]) {
    const found = await resolveNames({ ...named, connection }, client)
    if (!found.ok) return { kind: 'refused', refused: found.error }
    ids.set(connection, found.value.connection)
  }
  const choice = {
    ...rest,
    rules: rules.map(({ connection, ...rule }) => ({ ...rule, connectionId: ids.get(connection) })),
    fallbackConnectionId: fallback === undefined ? null : ids.get(fallback),
  }
  const answered = await client.call('PUT', fillPath('/tenants/{tenant}/connection-choice', named), choice)
  return answered.ok ? { kind: 'done', answer: answered.value } : { kind: 'refused', refused: answered.error }
}
