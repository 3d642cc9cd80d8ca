/** The login connections that the configuration of a trust speaks of: by id at the broker, by name in a file. */
import type { Path } from '@drawbridge/core/placed-yaml'

type Configuration = Readonly<Record<string, unknown>>
type PeopleOf = { readonly connection: string }

const isPeopleOf = (value: unknown): value is PeopleOf =>
  typeof value === 'object' && value !== null && 'connection' in value && typeof value.connection === 'string'

/** `as`: what stands in the place of each. */
export function withConnections<As>(configuration: Configuration, as: (connection: string) => As): Configuration {
  const { peopleOf, keysOf } = configuration
  return {
    ...configuration,
    ...(isPeopleOf(peopleOf) && { peopleOf: { ...peopleOf, connection: as(peopleOf.connection) } }),
    ...(typeof keysOf === 'string' && { keysOf: as(keysOf) }),
  }
}

export function connectionsIn({ peopleOf, keysOf }: Configuration): readonly { readonly name: string; readonly path: Path }[] {
  return [
    ...(isPeopleOf(peopleOf) ? [{ name: peopleOf.connection, path: ['peopleOf', 'connection'] }] : []),
    ...(typeof keysOf === 'string' ? [{ name: keysOf, path: ['keysOf'] }] : []),
  ]
}
