/**
 * What an admin judges of a client that describes itself, in one canonical text for each member.
 *
 * Order, formatting, key ids and whatever we do not know change nothing. Of logout addresses the host counts: where else at the same host it
 * hears of logouts is the client's own affair. Where it publishes its keys at an address, the address counts: new keys there are a rollover. An application type decides nothing here and is not judged.
 */
import { hostOfUrl, type JudgedClient, type JudgedMember } from './client.js'

/** One that says nothing. Of a member that an approval does not know, only this was approved. */
export const silentClient: JudgedClient = {
  name: '',
  redirectUris: [],
  grantTypes: [],
  authMethod: 'none',
  jwks: undefined,
  postLogoutRedirectUris: [],
}

const asSet = (values: readonly string[]): string => JSON.stringify([...new Set(values)].sort())

export const judgedTextsOf = (client: JudgedClient): Readonly<Record<JudgedMember, string>> => ({
  name: client.name,
  redirectUris: asSet(client.redirectUris),
  grantTypes: asSet(client.grantTypes),
  tokenEndpointAuthMethod: methodText(client),
  dpopBoundAccessTokens: client.dpopBoundAccessTokens === true ? 'true' : '',
  jwks: client.jwksUri ?? asSet(keysOf(client.jwks).map(keyText)),
  backchannelLogoutUri: client.backchannelLogoutUri === undefined ? '' : hostOfUrl(client.backchannelLogoutUri),
  postLogoutRedirectUris: asSet(client.postLogoutRedirectUris.map(hostOfUrl)),
})

/** By another certificate it proves itself in another way. */
const methodText = ({ authMethod, certificateName }: JudgedClient): string =>
  certificateName === undefined ? authMethod : JSON.stringify([authMethod, certificateName.kind, certificateName.value])

type Key = Readonly<Record<string, unknown>>

function keysOf(jwks: unknown): readonly Key[] {
  const keys = typeof jwks === 'object' && jwks !== null && 'keys' in jwks ? jwks.keys : undefined
  return Array.isArray(keys) ? keys.filter((key): key is Key => typeof key === 'object' && key !== null) : []
}

/** What the key is, and what it is for. RFC 7638 §3.2 */
const keyText = (key: Key): string => JSON.stringify(['kty', 'crv', 'x', 'y', 'n', 'e', 'use'].map((name) => key[name] ?? null))
