/**
 * The barriers that this instance knows: for each target the lowest epoch that is still alive.
 *
 * Bounded and expiring. An entry may be forgotten once every token made before it has expired by itself. When there are too many entries the oldest
 * of the tenant that has most are folded into a floor in time: whatever the issuer issued for that tenant until then is refused, so that forgetting can
 * refuse too much but never too little, and a tenant that revokes without end pays for it itself.
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

/** Whatever the issuer issued for the tenant until then is dead: its barriers of that time were too many to be told. */
export type Floor = { readonly issuer: string; readonly tenant: string; readonly untilSeconds: number }

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

/** So much of the room is made at once where there is none. */
const roomPart = 1 / 16

type Entry = { readonly epoch: number; readonly receivedAtSeconds: number }

export type Barriers = {
  raise(barrier: Barrier, nowSeconds: number): void
  raiseFloor(floor: Floor): void
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

type Place = { readonly issuer: string; readonly tenant: string }

/** What is known of a tenant at an issuer: entries in the order of receipt; whatever was issued until `floorSeconds` is refused. */
type Known = { readonly entries: Map<string, Entry>; floorSeconds: number; lookedAtSeconds: number }

/** What this instance knows; changed only by the functions below. `size`: entries of all places. */
type Held = { readonly limits: BarrierLimits; readonly places: Map<string, Known>; size: number }

const placeOf = ({ issuer, tenant }: Place): string => JSON.stringify([issuer, tenant])
const keyOf = (target: BarrierTarget, targetId: string): string => `${target} ${targetId}`
/** Highest epoch asked of any connection of a tenant at an issuer: what a token is measured by that does not say which connection it came through. */
const anyConnection = '*'

export function createBarriers(limits: BarrierLimits): Barriers {
  const held: Held = { limits, places: new Map(), size: 0 }
  return {
    raise: ({ target, targetId, epoch, ...place }, nowSeconds) => {
      const entry = { epoch, receivedAtSeconds: nowSeconds }
      const known = knownOf(held, place)
      raiseEntry(held, known, keyOf(target, targetId), entry)
      if (target === 'connection') raiseEntry(held, known, keyOf(target, anyConnection), entry)
      if (held.size > limits.maxEntries) makeRoom(held, nowSeconds)
    },
    raiseFloor: ({ untilSeconds, ...place }) => {
      const known = knownOf(held, place)
      known.floorSeconds = Math.max(known.floorSeconds, untilSeconds)
    },
    isBelow: (making, nowSeconds) => {
      const known = held.places.get(placeOf(making))
      if (known === undefined) return false
      forgetOld(held, known, nowSeconds)
      return making.issuedAtSeconds <= known.floorSeconds || barrierTargets.some((target) => isBelowEntry(known, making, target))
    },
    size: () => held.size,
  }
}

function knownOf({ places }: Held, place: Place): Known {
  const known = places.get(placeOf(place)) ?? { entries: new Map(), floorSeconds: 0, lookedAtSeconds: 0 }
  places.set(placeOf(place), known)
  return known
}

/** A lower epoch never replaces a higher one. The entry moves to the end. */
function raiseEntry(held: Held, { entries }: Known, key: string, entry: Entry): void {
  const before = entries.get(key)
  if (before === undefined) held.size += 1
  entries.delete(key)
  entries.set(key, { ...entry, epoch: Math.max(entry.epoch, before?.epoch ?? 0) })
}

/** Once a second: within it nothing more is over. */
function forgetOld(held: Held, known: Known, nowSeconds: number): void {
  if (known.lookedAtSeconds === nowSeconds) return
  known.lookedAtSeconds = nowSeconds
  for (const [key, { receivedAtSeconds }] of known.entries) {
    if (!isOver(held, receivedAtSeconds, nowSeconds)) return
    known.entries.delete(key)
    held.size -= 1
  }
}

const isOver = ({ limits }: Held, sinceSeconds: number, nowSeconds: number): boolean => sinceSeconds + limits.keepSeconds < nowSeconds

/**
 * What is over goes first, wherever it is; then the oldest of whoever has most. Some more than must is folded at once: at a front issuer there may be thousands of
 * tenants to compare, and barriers come by the thousand.
 */
function makeRoom(held: Held, nowSeconds: number): void {
  for (const [place, known] of held.places) {
    forgetOld(held, known, nowSeconds)
    if (known.entries.size === 0 && isOver(held, known.floorSeconds, nowSeconds)) held.places.delete(place)
  }
  const { maxEntries } = held.limits
  if (held.size <= maxEntries) return
  const sizes = [...held.places.values()].map(({ entries }) => entries.size)
  let { most, more } = fairShare(sizes, maxEntries - Math.floor(maxEntries * roomPart))
  for (const known of held.places.values()) {
    if (known.entries.size <= most) continue
    const keeps = more > 0 ? most + 1 : most
    more -= 1
    foldOldest(held, known, keeps)
  }
}

/** How many each may keep, and how many of those who have more may keep one more, so that all together keep no more than `total`. */
function fairShare(sizes: readonly number[], total: number): { readonly most: number; readonly more: number } {
  const ascending = sizes.toSorted((a, b) => a - b)
  let left = total
  for (const [index, size] of ascending.entries()) {
    const others = ascending.length - index
    const most = Math.floor(left / others)
    if (size > most) return { most, more: left - most * others }
    left -= size
  }
  return { most: total, more: 0 }
}

/** In one walk: a map that has lost many of its first entries passes over each of them whenever it is read from the beginning. */
function foldOldest(held: Held, known: Known, keeps: number): void {
  for (const [key, { receivedAtSeconds }] of known.entries) {
    if (known.entries.size <= keeps) return
    known.entries.delete(key)
    held.size -= 1
    known.floorSeconds = Math.max(known.floorSeconds, receivedAtSeconds + floorMarginSeconds)
  }
}

function isBelowEntry({ entries }: Known, making: TokenMaking, target: BarrierTarget): boolean {
  const made = making.epochs[target]
  const named = making.ids[target]
  if (made === 0 && named === undefined) return false
  const id = named ?? (target === 'connection' ? anyConnection : undefined)
  const entry = id === undefined ? undefined : entries.get(keyOf(target, id))
  return entry !== undefined && made < entry.epoch
}
