/** Connections of a file against those of a tenant. The name is what makes one the same: it is unique in a file, and must be in the tenant. */
import { sendsSecretElsewhere } from '@drawbridge/upstream/oidc/secret-addresses'
import { type Declared, ownConfiguration } from './declare-tenant.js'
import { type Difference, differencesOf, isSame } from './differences.js'
import type { LiveConnection } from './live-tenant.js'
import {
  type Change,
  type Compared,
  idOf,
  type Planned,
  type PlanOptions,
  type SecretNamed,
  type Step,
  secret,
  together,
} from './plan-change.js'
import type { FileConnection } from './shape.js'

const pruneReason = { reason: 'drawbridge apply: killed in the file of the tenant' }
const oneOf = (name: string) => ['/connections/', idOf('connection', name)] as const

export function planConnections({ file: { connections }, live, options }: Compared): Planned {
  if (connections === undefined) return { changes: [] }
  const planned = connections.map((connection, index) => planConnection(connection, index, live.connections, options))
  const known = connections.map(({ name }) => name)
  const surplus = live.connections.filter(({ name, disabledAt }) => !known.includes(name) && disabledAt === null)
  return together(
    planned,
    surplus.map((each) => ({ told: `connection "${each.name}"`, prune: prune(each) })),
    options.prune,
  )
}

const prune = ({ name, id }: LiveConnection): Change => ({
  does: 'take away',
  what: `connection "${name}"`,
  differences: [],
  steps: [{ kind: 'remove-or-kill', path: [`/connections/${id}`] }],
})

function planConnection(connection: FileConnection, index: number, all: readonly LiveConnection[], options: PlanOptions): Planned {
  const { name, kind } = connection
  const [live, second] = all.filter((each) => each.name === name)
  const at = ['connections', index]
  const cannot = (member: string, say: string): Planned => ({ changes: [], impossible: [{ path: [...at, member], say }] })
  if (second !== undefined)
    return cannot('name', 'two connections of the tenant carry this name: rename one, drawbridge connection update --name')
  if (live === undefined) return { changes: [create(connection)] }
  if (live.kind !== kind) return cannot('kind', `it is ${live.kind} and stays so: another kind is another connection, with another name`)
  const secretStep = planSecret(connection, live, options)
  if (secretStep === 'unknown')
    return cannot('clientSecret', 'an address that the client secret goes to changes: name the secret, which is sent again then')
  const wanted = compare(connection, live, secretStep)
  const changes: readonly Change[] =
    wanted.steps.length === 0
      ? []
      : [{ does: 'change', what: `connection "${name}"`, differences: wanted.differences, steps: wanted.steps }]
  return { ...judgeKill(connection, live, options), changes }
}

/**
 * What becomes of the secret that the broker keeps: it stays (`undefined`), goes (`null`), or is sent again. The broker keeps none for another address
 * than it was given for, so that it is sent with one; where the file names none then, nobody knows it.
 */
function planSecret(connection: FileConnection, live: LiveConnection, options: PlanOptions): SecretNamed | null | undefined | 'unknown' {
  const { configuration } = connection
  const named = secretOf(connection)
  const isElsewhere = live.kind === 'oidc' && live.hasSecret && sendsSecretElsewhere(live.configuration, configuration)
  if (named !== undefined) return options.secrets || !live.hasSecret || isElsewhere ? named : undefined
  if (live.hasSecret && secretless.includes(configuration['clientAuthentication'])) return null
  return isElsewhere ? 'unknown' : undefined
}
/** Ways in which a connection proves itself without one. */
const secretless: readonly unknown[] = ['private_key_jwt', 'none']

/** Its secret is read when it is sent. */
const secretOf = ({ clientSecret }: FileConnection): SecretNamed | undefined => clientSecret && { [secret]: clientSecret }
const showSecret = ({ clientSecret: named }: FileConnection): string | undefined =>
  named && ('fromEnv' in named ? `of the variable ${named.fromEnv}` : `of the file ${named.fromFile}`)

function create(connection: FileConnection): Change {
  const { name, kind, metadata, configuration, killed } = connection
  const clientSecret = secretOf(connection)
  const source = metadata && { metadataUrl: metadata.url, entityId: metadata.entityId, pinnedCertificates: metadata.pinnedCertificates }
  const body = { kind, name, usePreset: false, configuration, ...source, ...(clientSecret && { clientSecret }) }
  const made: Step = { kind: 'call', method: 'POST', path: ['/connections'], body, keeps: idOf('connection', name) }
  const kill: Step = { kind: 'call', method: 'POST', path: [...oneOf(name), '/kill'], body: pruneReason }
  const shown = { kind, metadata: metadata?.url, configuration, clientSecret: showSecret(connection), killed: killed || undefined }
  return { does: 'create', what: `connection "${name}"`, differences: differencesOf({}, shown), steps: killed ? [made, kill] : [made] }
}

function compare(
  connection: FileConnection,
  live: LiveConnection,
  clientSecret: SecretNamed | null | undefined,
): { differences: readonly Difference[]; steps: readonly Step[] } {
  const { name, metadata, configuration } = connection
  const own = ownConfiguration({ configuration: live.configuration, metadata })
  const isSourceNew = metadata !== undefined && !isSource(metadata, live)
  const isSourceGone = metadata === undefined && live.metadata !== undefined
  const changesSecret = clientSecret !== undefined
  const configures = !isSame(own, configuration) || changesSecret
  const steps: Step[] = []
  if (isSourceNew) steps.push({ kind: 'use-metadata', connection: idOf('connection', name), metadata: askFor(metadata) })
  if (isSourceGone) steps.push({ kind: 'call', method: 'DELETE', path: [...oneOf(name), '/metadata'] })
  if (configures) {
    const revision = isSourceNew ? undefined : live.revision
    steps.push({
      kind: 'configure',
      connection: idOf('connection', name),
      configuration,
      hasMetadata: metadata !== undefined,
      clientSecret,
      revision,
    })
  }
  const differences = [
    ...(isSourceNew || isSourceGone
      ? differencesOf(shownSource(live), metadata && { pinnedCertificates: metadata.pinnedCertificates, ...shownMetadata(metadata) }, [
          'metadata',
        ])
      : []),
    ...differencesOf(own, configuration, ['configuration']),
    ...(changesSecret
      ? [{ path: 'clientSecret', from: live.hasSecret ? 'one that nobody can read' : undefined, to: showSecret(connection) }]
      : []),
  ]
  return { differences, steps }
}

type Metadata = NonNullable<FileConnection['metadata']>
const askFor = ({ url, entityId, pinnedCertificates }: Metadata): Declared => ({
  metadataUrl: url,
  ...(entityId === undefined ? {} : { entityId }),
  pinnedCertificates,
})
const shownMetadata = ({ url, entityId }: Metadata): Declared => ({ url, ...(entityId === undefined ? {} : { entityId }) })
const shownSource = ({ metadata, configuration }: LiveConnection) => metadata && { ...metadata, entityId: configuration['idpEntityId'] }

/** The same address, pins and entity. Certificates are compared by what they hold, not by how they are wrapped. */
const isSource = ({ url, entityId, pinnedCertificates }: Metadata, { metadata, configuration }: LiveConnection): boolean =>
  metadata?.url === url &&
  isSame(pinnedCertificates.map(bare), metadata.pinnedCertificates.map(bare)) &&
  (entityId === undefined || entityId === configuration['idpEntityId'])
const bare = (certificate: string): string => certificate.replaceAll(/-----[A-Z ]+-----|\s/g, '')

function judgeKill(
  { name, killed }: FileConnection,
  { disabledAt }: LiveConnection,
  { prune: may }: PlanOptions,
): Omit<Planned, 'changes'> {
  if (killed === (disabledAt !== null)) return {}
  if (!killed) return { warnings: [`connection "${name}" was killed at ${disabledAt}, and stays so: drawbridge connection enable`] }
  if (!may) return { leftAlone: [`connection "${name}" is killed in the file`] }
  const kill: Step = { kind: 'call', method: 'POST', path: [...oneOf(name), '/kill'], body: pruneReason }
  return {
    pruned: [
      { does: 'take away', what: `connection "${name}"`, differences: [{ path: 'killed', from: undefined, to: true }], steps: [kill] },
    ],
  }
}
