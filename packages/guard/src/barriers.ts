/**
 * The barriers that this instance knows: for each target the lowest epoch that is still alive.
 *
 * Bounded and expiring. An entry may be forgotten once every token made before it has expired by itself. When there are too many
 * entries the oldest are folded into a floor in time: whatever the issuer issued for that tenant until then is refused, so that forgetting can refuse
 * too much but never too little.
 */
export type BarrierTarget = 'tenant' | 'client' | 'connection' | 'subject' | 'grant'
export const barrierTargets: readonly BarrierTarget[] = ['tenant', 'client', 'connection', 'subject', 'grant']

/** Everything of `target` that was made below `epoch` is dead. */
export type Barrier = {
  readonly issuer: string
  /** The front issuer speaks for many, and a client may be known to several of them under one id. */
  readonly tenant: string
  readonly target: BarrierTarget
  readonly targetId: string
  readonly epoch: number
}

export type TokenEpochs = Readonly<Record<BarrierTarget, number>>
/** What a token says about its making. `ids` names the targets that the token tells; a grant or a connection may be absent. */
export type TokenMaking = {
  readonly issuer: string
  readonly tenant: string
  readonly issuedAtSeconds: number
  readonly ids: Readonly<Partial<Record<BarrierTarget, string>>>
  readonly epochs: TokenEpochs
}

export type BarrierLimits = { readonly maxEntries: number; readonly keepSeconds: number }

/** A barrier is told a little after it was raised, and clocks differ: the floor reaches this far beyond the time of receipt. */
export const floorMarginSeconds = 60

type Entry = { readonly epoch: number; readonly receivedAtSeconds: number }

export type Barriers = {
  raise(barrier: Barrier, nowSeconds: number): void
  isBelow(making: TokenMaking, nowSeconds: number): boolean
  size(): number
}

/** `tenant.client.connection.subject.grant`, the compact claim `epochs`. */
const compact = /^(\d{1,10})\.(\d{1,10})\.(\d{1,10})\.(\d{1,10})\.(\d{1,10})$/

export function parseTokenEpochs(claim: unknown): TokenEpochs | undefined {
  const match = typeof claim === 'string' ? compact.exec(claim) : null
  if (!match) return undefined
  const [tenant, client, connection, subject, grant] = match.slice(1).map(Number) as [number, number, number, number, number]
  return { tenant, client, connection, subject, grant }
}

/** What this instance knows; changed only by the functions below. */
type Known = {
  readonly limits: BarrierLimits
  readonly entries: Map<string, Entry>
  /** Per issuer and tenant: whatever was issued there until then is refused. */
  readonly floors: Map<string, number>
}

type Place = { readonly issuer: string; readonly tenant: string }
const keyOf = ({ issuer, tenant }: Place, target: BarrierTarget, targetId: string): string =>
  JSON.stringify([issuer, tenant, target, targetId])
const floorOf = ({ issuer, tenant }: Place): string => JSON.stringify([issuer, tenant])
const floorUnder = (key: string): string => JSON.stringify((JSON.parse(key) as [string, string]).slice(0, 2))
/** Highest epoch asked of any connection of a tenant at an issuer: what a token is measured by that does not say which connection it came through. */
const anyConnection = '*'

export function createBarriers(limits: BarrierLimits): Barriers {
  const known: Known = { limits, entries: new Map(), floors: new Map() }
  return {
    raise: ({ target, targetId, epoch, ...place }, nowSeconds) => {
      raiseEntry(known, keyOf(place, target, targetId), { epoch, receivedAtSeconds: nowSeconds })
      if (target === 'connection') raiseEntry(known, keyOf(place, target, anyConnection), { epoch, receivedAtSeconds: nowSeconds })
      forget(known, nowSeconds)
    },
    isBelow: (making, nowSeconds) => {
      forget(known, nowSeconds)
      if (making.issuedAtSeconds <= (known.floors.get(floorOf(making)) ?? 0)) return true
      return barrierTargets.some((target) => isBelowEntry(known, making, target))
    },
    size: () => known.entries.size,
  }
}

/** A lower epoch never replaces a higher one. The entry moves to the end: the map's order is that of receipt. */
function raiseEntry({ entries }: Known, key: string, entry: Entry): void {
  const before = entries.get(key)
  entries.delete(key)
  entries.set(key, { ...entry, epoch: Math.max(entry.epoch, before?.epoch ?? 0) })
}

function forget({ limits, entries, floors }: Known, nowSeconds: number): void {
  for (const [key, entry] of entries) {
    const isOld = entry.receivedAtSeconds + limits.keepSeconds < nowSeconds
    if (!isOld && entries.size <= limits.maxEntries) return
    entries.delete(key)
    if (isOld) continue
    const floor = floorUnder(key)
    floors.set(floor, Math.max(floors.get(floor) ?? 0, entry.receivedAtSeconds + floorMarginSeconds))
  }
}

function isBelowEntry({ entries }: Known, making: TokenMaking, target: BarrierTarget): boolean {
  const made = making.epochs[target]
  const named = making.ids[target]
  if (made === 0 && named === undefined) return false
  const id = named ?? (target === 'connection' ? anyConnection : undefined)
  const entry = id === undefined ? undefined : entries.get(keyOf(making, target, id))
  return entry !== undefined && made < entry.epoch
}
