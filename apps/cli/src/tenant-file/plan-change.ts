/** What a plan is made of: changes, and the calls that each takes. */
import type { Path } from '@drawbridge/core/placed-yaml'
import type { Difference } from './differences.js'
import type { LiveTenant } from './live-tenant.js'
import type { SecretReference, TenantFile } from './shape.js'

export const named: unique symbol = Symbol('named')
/** Stands for an id that is known when the change before is done. Nothing that is read from a file can be one. */
type NamedKind = 'connection' | 'resource' | 'trust'
export type Named = { readonly [named]: { readonly kind: NamedKind; readonly name: string } }
export const idOf = (kind: NamedKind, name: string): Named => ({ [named]: { kind, name } })

export const secret: unique symbol = Symbol('secret')
/** Stands for a secret that is read when it is known to be needed. */
export type SecretNamed = { readonly [secret]: SecretReference }

export type PathOfCall = readonly (string | Named)[]
export type Step =
  | {
      readonly kind: 'call'
      readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
      /** Behind `/tenants/<slug>`, or the list of tenants itself. */
      readonly path: PathOfCall
      readonly body?: unknown
      /** The id of the answer is that of this name from then on. */
      readonly keeps?: Named
      /** A member of the answer that is shown once. */
      readonly shows?: string
    }
  /** Removes, or kills where its history keeps it. */
  | { readonly kind: 'remove-or-kill'; readonly path: PathOfCall }
  /** Looks at metadata and uses the very document that was looked at, old certificates trusted for the time of a rollover. */
  | { readonly kind: 'use-metadata'; readonly connection: Named; readonly metadata: Readonly<Record<string, unknown>> }
  /** Replaces what is not the metadata's, if nobody changed the connection since it was read. */
  | {
      readonly kind: 'configure'
      readonly connection: Named
      readonly configuration: Readonly<Record<string, unknown>>
      readonly hasMetadata: boolean
      /** null: the one that is kept is removed. */
      readonly clientSecret: SecretNamed | null | undefined
      /** Undefined: a step before has changed it. */
      readonly revision: string | undefined
    }
  /** A broker beside the one that made it may have to hear of a tenant first. */
  | { readonly kind: 'await-tenant' }

export type Change = {
  readonly does: 'create' | 'change' | 'take away'
  readonly what: string
  readonly differences: readonly Difference[]
  readonly steps: readonly Step[]
}
export type Impossible = { readonly path: Path; readonly say: string }
export type Planned = {
  readonly changes: readonly Change[]
  /** Done with `prune` alone. */
  readonly leftAlone?: readonly string[]
  readonly warnings?: readonly string[]
  readonly impossible?: readonly Impossible[]
  /** Taken away in the opposite order, so that nothing is removed that something still names. */
  readonly pruned?: readonly Change[]
}
export type Plan = {
  readonly slug: string
  /** What the broker calls the tenant; undefined: it is yet to be made. */
  readonly knownAs: string | undefined
  readonly changes: readonly Change[]
  readonly leftAlone: readonly string[]
  readonly warnings: readonly string[]
  readonly impossible: readonly Impossible[]
}

export type PlanOptions = {
  readonly prune: boolean
  /** Send every secret of the file, whether the broker has one or not. */
  readonly secrets: boolean
  /** The vendor's resources, where this key may see them. */
  readonly vendorResources: readonly { readonly id: string; readonly identifier: string }[]
}
export type Compared = { readonly file: TenantFile; readonly live: LiveTenant; readonly options: PlanOptions }

/** What several rows come to, together with what no row of the file says: `surplus` is left alone, or pruned. */
export const together = (
  rows: readonly Planned[],
  surplus: readonly { readonly told: string; readonly prune: Change }[],
  prune: boolean,
): Planned => ({
  changes: rows.flatMap(({ changes }) => changes),
  warnings: rows.flatMap(({ warnings = [] }) => warnings),
  impossible: rows.flatMap(({ impossible = [] }) => impossible),
  leftAlone: [
    ...rows.flatMap(({ leftAlone = [] }) => leftAlone),
    ...(prune ? [] : surplus.map(({ told }) => `${told} is not in the file`)),
  ],
  pruned: [...rows.flatMap(({ pruned = [] }) => pruned), ...(prune ? surplus.map((each) => each.prune) : [])],
})

/** How many of a kind a tenant may have, and has. */
export type Room = { readonly most: number; readonly there: number }

/** The same of a kind of which there is a limit, and which nothing names: where what is made finds no room, so many go before it and not after all else. */
export function togetherWithin(room: Room, ...of: Parameters<typeof together>): Planned {
  const planned = together(...of)
  const made = planned.changes.filter(({ does }) => does === 'create').length
  const needed = Math.max(0, room.there + made - room.most)
  const pruned = planned.pruned ?? []
  return { ...planned, changes: [...pruned.slice(0, needed), ...planned.changes], pruned: pruned.slice(needed) }
}
