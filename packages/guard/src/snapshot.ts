/**
 * Reads what an issuer answers when a stream is opened: every living barrier, by tenant, target and epoch, and the keys that are condemned.
 *
 * `{"acme": {"subject": {"2": ["ada", "clark"]}}}`: what was made for either below epoch 2 is dead. `{"acme": {"floor": {"1800000000": ["*"]}}}`: so is whatever was issued for
 * acme until then, because there are more barriers of it than are told. It names no issuer: it speaks for the one at which the stream
 * was opened, and for no other.
 */
import type { Barrier, Floor } from './barriers.js'
import { parseBarrier, parseKeyId, type Told } from './notice.js'
import { type TrustedIssuer, tenantSpokenFor } from './trusted-issuer.js'

export type ToldAtOpening = Told | { readonly floor: Floor }

/** Everything that the snapshot takes away; `undefined`: it is malformed, and nothing of it may be left out. */
export function readSnapshot(issuer: TrustedIssuer, snapshot: unknown, condemnedKeys: unknown): readonly ToldAtOpening[] | undefined {
  const barriers = readBarriers(issuer, snapshot)
  const kids = Array.isArray(condemnedKeys) ? condemnedKeys.map(parseKeyId) : [undefined]
  if (barriers === undefined || kids.includes(undefined)) return undefined
  return [...(kids as string[]).map((condemnedKey) => ({ condemnedKey })), ...barriers]
}

function readBarriers(issuer: TrustedIssuer, snapshot: unknown): readonly ToldAtOpening[] | undefined {
  const told: ({ readonly barrier: Barrier } | { readonly floor: Floor })[] = []
  for (const [tenant, target, epoch, ids] of leavesOf(snapshot)) {
    if (!Array.isArray(ids)) return undefined
    if (target === 'floor') {
      const floor = parseFloor(issuer, tenant, Number(epoch))
      if (floor === undefined) return undefined
      told.push({ floor })
      continue
    }
    for (const targetId of ids as readonly unknown[]) {
      const barrier = parseBarrier({ tenant, target, targetId, epoch: Number(epoch) }, issuer)
      if (barrier === undefined) return undefined
      told.push({ barrier })
    }
  }
  return told
}

function parseFloor(issuer: TrustedIssuer, named: string, untilSeconds: number): Floor | undefined {
  const tenant = tenantSpokenFor(issuer, named)
  const isTime = Number.isSafeInteger(untilSeconds) && untilSeconds > 0
  return tenant === undefined || !isTime ? undefined : { issuer: issuer.issuer, tenant, untilSeconds }
}

type Leaf = readonly [tenant: string, target: string, epoch: string, ids: unknown]

/** What is no object where one belongs is a leaf without ids, and so no barrier. */
function* leavesOf(snapshot: unknown): Generator<Leaf> {
  for (const [tenant, targets] of membersOf(snapshot))
    for (const [target, epochs] of membersOf(targets)) for (const [epoch, ids] of membersOf(epochs)) yield [tenant, target, epoch, ids]
}

const malformed: readonly (readonly [string, unknown])[] = [['', undefined]]

const membersOf = (value: unknown): readonly (readonly [string, unknown])[] => {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : malformed
}
