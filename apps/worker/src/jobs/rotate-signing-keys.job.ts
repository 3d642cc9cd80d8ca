/**
 * Keys change by themselves: the next one is published, takes over when its predecessor is of age or another algorithm was chosen, and what is
 * retired leaves the JWKS when nothing that it signed is alive, its private half destroyed. docs/adr/0064
 *
 * Any number of workers may do it at once: what is to be done is decided under the lock on the issuer, so that one successor is made.
 */
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { type KeyStep, nextKeyStep, retiredKeySeconds } from '@drawbridge/core/oauth/key-rotation'
import type { TenantId } from '@drawbridge/core/tenant/ids'
import {
  holdRotatingKeys,
  type KeyOwner,
  listKeysToWithdrawAcrossTenants,
  listRotatingKeysAcrossTenants,
  planActivation,
  type RetiredKey,
  type RotatingKeys,
  withdrawSigningKey,
} from '@drawbridge/store/key-rotation'
import { lockResourcesOfIssuers } from '@drawbridge/store/revocations'
import { replaceNextKey, rotateSigningKey } from '@drawbridge/store/signing-keys'
import { acrossTenants, type Db, inTenant } from '@drawbridge/store/transaction'
import type { JobDeps } from '../deps.js'
import { keyChangeOf } from '../make-key.js'
import { signAnew } from '../sign-anew.js'
import { tellTenant } from '../tell-tenant.js'

/** Pairs of keys per statement. */
export const rotationBatch = 500
/** Retired keys per statement. */
export const withdrawalBatch = 500
/** Publish, activate, publish the successor's successor, plan: no pair needs more in one round. */
const mostSteps = 4

export async function rotateSigningKeys(deps: JobDeps): Promise<void> {
  let after: KeyOwner | undefined
  do {
    const page = { after, limit: rotationBatch }
    const found = await acrossTenants(deps.database, (db) => listRotatingKeysAcrossTenants(db, page))
    for (const keys of found) if (stepOf(deps, keys, deps.clock.now())) await tried(deps, 'rotate', keys, () => settle(deps, keys))
    after = found.length < rotationBatch ? undefined : found.at(-1)
  } while (after !== undefined)
  await withdrawRetired(deps)
}

async function withdrawRetired(deps: JobDeps): Promise<void> {
  const before = addSeconds(deps.clock.now(), -retiredKeySeconds)
  let after: RetiredKey | undefined
  do {
    const page = { after, limit: withdrawalBatch }
    const found = await acrossTenants(deps.database, (db) => listKeysToWithdrawAcrossTenants(db, before, page))
    for (const key of found) await tried(deps, 'withdraw', key, () => withdraw(deps, key))
    after = found.length < withdrawalBatch ? undefined : found.at(-1)
  } while (after !== undefined)
}

/** One issuer's trouble holds up no other's keys; its own are tried again in the next round. */
async function tried(deps: JobDeps, what: 'rotate' | 'withdraw', owner: KeyOwner, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    deps.metrics.count('drawbridge_signing_key_failures_total', { what })
    const { tenantId: tenant, purpose } = owner
    deps.log.error({ err: error, tenant, purpose, what }, 'the signing keys of an issuer could not be changed')
  }
}

const stepOf = (deps: JobDeps, { pair, algorithm }: RotatingKeys, now: Instant): KeyStep | undefined =>
  nextKeyStep(pair, { algorithm, ageSeconds: deps.signingKeyAgeSeconds }, now)

type Rotated = { readonly active: string; readonly cause: 'age' | 'algorithm' }

async function settle(deps: JobDeps, owner: KeyOwner): Promise<void> {
  const now = deps.clock.now()
  const rotated = await inTenant(deps.database, owner.tenantId, async (db) => {
    let done: Rotated | undefined
    for (let count = 0; count < mostSteps; count += 1) {
      const keys = await holdRotatingKeys(db, owner)
      const step = keys && stepOf(deps, keys, now)
      if (keys === undefined || step === undefined) break
      done = (await take(db, deps, keys, step, now)) ?? done
    }
    if (done)
      await tellTenant(db, owner.tenantId, {
        ...about(owner, now),
        kind: 'signing_key.rotated',
        detail: { purpose: owner.purpose, ...done },
      })
    return done
  })
  if (rotated === undefined) return
  deps.metrics.count('drawbridge_signing_key_rotations_total', { purpose: owner.purpose, cause: rotated.cause })
  deps.log.info(
    { tenant: owner.tenantId, purpose: owner.purpose, kid: rotated.active, cause: rotated.cause },
    'the next signing key signs now',
  )
}

async function take(db: Db, deps: JobDeps, keys: RotatingKeys, step: KeyStep, now: Instant): Promise<Rotated | undefined> {
  const change = keyChangeOf(deps, keys, now)
  if (step.kind === 'publish') await replaceNextKey(db, keys.tenantId, change, undefined)
  if (step.kind === 'plan') await planActivation(db, keys, step.activatesAt)
  if (step.kind !== 'activate') return undefined
  const active = await rotateSigningKey(db, keys.tenantId, change)
  return active === undefined
    ? undefined
    : { active, cause: keys.pair.next?.algorithm === keys.pair.active.algorithm ? 'age' : 'algorithm' }
}

const about = ({ issuerId }: KeyOwner, at: Instant) => ({ at, issuerId })

/** What event streams still owe is signed anew before its key goes. A condemned key's was when it was condemned. */
async function withdraw(deps: JobDeps, key: RetiredKey): Promise<void> {
  const { tenantId, issuerId, purpose, id, state } = key
  const now = deps.clock.now()
  if (purpose === 'notices' && state === 'retired')
    await acrossTenants(deps.database, async (db) => {
      await lockResourcesOfIssuers(db, tenantId, [issuerId], now)
      await signAnew(deps, db, { tenant: tenantId as TenantId, id: issuerId, url: key.issuer }, id)
    })
  const withdrawn = await inTenant(deps.database, tenantId, async (db) => {
    const done = await withdrawSigningKey(db, key, now)
    if (done) await tellTenant(db, tenantId, { ...about(key, now), kind: 'signing_key.withdrawn', detail: { purpose, kid: id, state } })
    return done
  })
  if (withdrawn) deps.metrics.count('drawbridge_signing_keys_withdrawn_total', { purpose })
}
