/** What no single member of a tenant's file can tell: names that repeat, references to nothing, configurations, rules and policies that do not hold. */
import type { Path } from '@drawbridge/core/placed-yaml'
import { parsePolicyCases } from '@drawbridge/core/policy/cases'
import { compilePolicy } from '@drawbridge/core/policy/compile'
import type { PolicyMistake } from '@drawbridge/core/policy/error'
import { compileConnectionChoice } from '@drawbridge/core/tenant/connection-choice'
import { parseOwnableDomain } from '@drawbridge/core/tenant/domain-proof'
import { isOfSamlTrust, parseSamlTrust } from '@drawbridge/upstream/assertion/saml-trust'
import { parseAssertionTrust } from '@drawbridge/upstream/assertion/trust'
import { parseConnection, toUsablePem } from '@drawbridge/upstream/connection-configuration'
import type { UpstreamRefusal } from '@drawbridge/upstream/error'
import type { MetadataConfiguration } from '@drawbridge/upstream/saml/metadata-diagnosis'
import type { FileConnection, FileDomain, FileTrust, TenantFile } from './shape.js'
import { connectionsIn, withConnections } from './trust-connections.js'

type Mistake = { readonly path: Path; readonly say: string }

/** What the metadata of an IdP says of it, and nobody else where its metadata is fetched. A new member of it must be decided on here. */
const ofMetadata: Readonly<Record<keyof MetadataConfiguration, true>> = {
  idpEntityId: true,
  ssoUrl: true,
  ssoBinding: true,
  certificates: true,
  sloUrl: true,
  sloResponseUrl: true,
  sloBinding: true,
  sloIssuer: true,
}
export const membersOfMetadata: readonly string[] = Object.keys(ofMetadata)

/** Stands for the certificates that the metadata will bring, so that the rest of the configuration can be judged before. */
const someCertificate = `MIIBbTCCAROgAwIBAgIULk1evBd5esANJRuyAPAr8TjWXKwwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBeDAeFw0yNjExMjgyMjU0MjFaFw0yNjExMjkyMjU0MjFaMAwxCjAIBgNVBAMM
AXgwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATlEv5t44HBOqjcMaqNWPgxYP9GxaY4Qk+5LbN+/Bdo2GAMgRzl93oK7TaZNfWaZ2Ore4HybUPfMEYviSxgjYcio1MwUTAdBgNVHQ4EFgQUpoA9rZCt73UE
x4S2oQ164As6sT4wHwYDVR0jBBgwFoAUpoA9rZCt73UEx4S2oQ164As6sT4wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA9V517azqToampc6NomlcUFwazdYDs/jO6JvFge6qFL8CIE9b
AnL2gxGIaylYiYfyHsExDKdjP9pRO/KOtQxMowE1`
const asIfFetched = { idpEntityId: 'urn:later', ssoUrl: 'https://later.invalid', certificates: [someCertificate] }

export function findMistakes(tenant: TenantFile): readonly Mistake[] {
  const { contacts = [], webhooks = [], connections = [], domains = [], resources = [], sharedResources = [], clients = [] } = tenant
  const { policy, policyCases, assertionTrusts = [] } = tenant
  return [
    ...repeated(contacts, 'contacts', 'email', ({ email }) => email),
    ...repeated(webhooks, 'webhooks', 'name', ({ name }) => name),
    ...repeated(connections, 'connections', 'name', ({ name }) => name),
    ...connections.flatMap((connection, index) => inConnection(connection, ['connections', index])),
    ...repeated(assertionTrusts, 'assertionTrusts', 'name', ({ name }) => name),
    ...assertionTrusts.flatMap((trust, index) => inTrust(trust, index, tenant)),
    ...repeated(domains, 'domains', 'domain', domainKey),
    ...domains.flatMap((domain, index) => inDomain(domain, index, tenant)),
    ...inChoice(tenant),
    ...repeated(resources, 'resources', 'identifier', ({ identifier }) => identifier),
    ...repeated(sharedResources, 'sharedResources', undefined, (identifier) => identifier),
    ...repeated(clients, 'clients', 'clientId', ({ clientId }) => clientId),
    ...(typeof policy === 'string' ? mistakesInPolicy(policy) : []),
    ...(typeof policyCases === 'string' ? mistakesInCases(policyCases) : []),
  ]
}

function repeated<T>(rows: readonly T[], section: string, member: string | undefined, keyOf: (row: T) => string): readonly Mistake[] {
  const seen = new Set<string>()
  return rows.flatMap((row, index) => {
    const key = keyOf(row)
    const isAgain = seen.has(key)
    seen.add(key)
    return isAgain ? [{ path: [section, index, ...(member === undefined ? [] : [member])], say: `"${key}" is said twice` }] : []
  })
}

const domainKey = ({ domain }: FileDomain): string => {
  const parsed = parseOwnableDomain(domain)
  return parsed.ok ? parsed.value : domain
}

function inConnection(connection: FileConnection, at: Path): readonly Mistake[] {
  const { kind, metadata, configuration, clientSecret } = connection
  const mistakes: Mistake[] = []
  if (kind === 'oidc' && metadata) mistakes.push({ path: [...at, 'metadata'], say: 'only a SAML connection has metadata' })
  if (kind === 'saml' && clientSecret) mistakes.push({ path: [...at, 'clientSecret'], say: 'a SAML connection has no secret' })
  for (const [index, pin] of (metadata?.pinnedCertificates ?? []).entries())
    if (toUsablePem(pin) === undefined)
      mistakes.push({ path: [...at, 'metadata', 'pinnedCertificates', index], say: 'not a usable certificate' })
  const claimed = metadata ? membersOfMetadata.filter((member) => Object.hasOwn(configuration, member)) : []
  for (const member of claimed)
    mistakes.push({ path: [...at, 'configuration', member], say: 'the metadata says this; leave one of the two out' })
  if (claimed.length > 0) return mistakes
  const parsed = parseConnection(kind, metadata && kind === 'saml' ? { ...configuration, ...asIfFetched } : configuration)
  return parsed.ok ? mistakes : [...mistakes, inConfiguration(parsed.error, at)]
}

function inConfiguration({ reason, detail: said }: UpstreamRefusal, at: Path): Mistake {
  const detail = said as Readonly<Record<string, string | number>> | undefined
  const member = String(detail?.['member'] ?? '')
  const steps = member === 'configuration' || member === '' ? [] : member.replaceAll(/\[(\d+)\]/g, '.$1').split('.')
  const path = [...at, 'configuration', ...steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step))]
  return { path, say: [reason, detail?.['message']].filter(Boolean).join(': ') }
}

function inTrust({ configuration }: FileTrust, index: number, { connections }: TenantFile): readonly Mistake[] {
  const at = ['assertionTrusts', index]
  const named = connectionsIn(configuration).flatMap(({ name, path }) =>
    unknownConnection(name, [...at, 'configuration', ...path], connections),
  )
  const readable = withConnections(configuration, anyIdFor)
  const parsed = isOfSamlTrust(readable) ? parseSamlTrust(readable) : parseAssertionTrust(readable)
  return parsed.ok ? named : [...named, inConfiguration(parsed.error, at)]
}

const domainWords = {
  domain_malformed: 'not a domain that could hold e-mail addresses',
  domain_public_suffix: 'under it anybody can register: it belongs to no company',
} as const

function inDomain({ domain, connection }: FileDomain, index: number, { connections }: TenantFile): readonly Mistake[] {
  const ownable = parseOwnableDomain(domain)
  return [
    ...(ownable.ok ? [] : [{ path: ['domains', index, 'domain'], say: domainWords[ownable.error] }]),
    ...unknownConnection(connection, ['domains', index, 'connection'], connections),
  ]
}

/** Where the file does not manage connections, the tenant's are asked when the plan is made. */
function unknownConnection(name: string | undefined, path: Path, connections: TenantFile['connections']): readonly Mistake[] {
  if (name === undefined || connections === undefined || connections.some((connection) => connection.name === name)) return []
  return [{ path, say: `no connection of this file is called "${name}"` }]
}

/** Whether the name is one is asked apart. */
const anyIdFor = (_name: string): string => '00000000-0000-4000-8000-000000000000'

function inChoice({ connectionChoice: choice, connections }: TenantFile): readonly Mistake[] {
  if (choice === undefined) return []
  const { fallback, rules, ...rest } = choice
  const compiled = compileConnectionChoice({
    ...rest,
    rules: rules.map(({ connection, ...rule }) => ({ ...rule, connectionId: anyIdFor(connection) })),
    fallbackConnectionId: null,
  })
  const unreadable = compiled.ok
    ? []
    : compiled.error.map(({ path, mistake }) => ({ path: ['connectionChoice', ...stepsOf(path)], say: mistake.say }))
  const named = rules.flatMap(({ connection }, index) =>
    unknownConnection(connection, ['connectionChoice', 'rules', index, 'connection'], connections),
  )
  return [...unreadable, ...named, ...unknownConnection(fallback, ['connectionChoice', 'fallback'], connections)]
}

const stepsOf = (path: string): Path => path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step))

/** Lines count from the beginning of the policy. */
export function mistakesInPolicy(text: string): readonly Mistake[] {
  const compiled = compilePolicy(text)
  return compiled.ok ? [] : compiled.error.map((mistake) => inText(mistake, 'policy', 'the policy'))
}

/** Whether they hold is asked of the broker: they are about what the tenant has there. */
export function mistakesInCases(text: string): readonly Mistake[] {
  const parsed = parsePolicyCases(text)
  return parsed.ok ? [] : parsed.error.map((mistake) => inText(mistake, 'policyCases', 'the test cases'))
}

const inText = ({ path, say, line }: PolicyMistake, member: string, what: string): Mistake => ({
  path: [member],
  say: [line === undefined ? '' : `line ${line} of ${what}: `, path === '' ? '' : `${path}: `, say].join(''),
})
