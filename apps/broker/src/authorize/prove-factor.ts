/**
 * A factor of ours, shown: judged, kept from being shown twice, and written down as the proof of this one place, in one transaction.
 *
 * A guess is taken before it is judged and in a transaction of its own, so that guesses at the same moment, at any process, each count.
 */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import type { FactorKind } from '@drawbridge/core/factor/second-factor'
import { Secret } from '@drawbridge/core/secret'
import { totpStepOf } from '@drawbridge/crypto/totp'
import { authenticationOptions, credentialIdOf, verifyAuthentication } from '@drawbridge/crypto/webauthn'
import { forgetGuesses, takeGuess } from '@drawbridge/store/factor-codes'
import { markPasskeyUsed, markTotpUsed, type StoredFactor } from '@drawbridge/store/factors'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { sealContextOf } from '../http/seal-context.js'
import { auditFactor } from './audit-factor.js'
import type { FactorPlace } from './factor-place.js'
import { relyingPartyOf } from './own-factor.js'

export type Proving = {
  readonly place: FactorPlace
  /** Those that may be used here. */
  readonly usable: readonly StoredFactor[]
  /** She enrols another one by it. */
  readonly thenEnrols: boolean
}

type Verdict = FactorRefusal | 'proved'

/** A fresh challenge for this place, in place of the one before. `undefined`: she has no passkey of use, or the place is no more. */
export async function challengeOf(place: FactorPlace, usable: readonly StoredFactor[]): Promise<object | undefined> {
  const { deps, tenant } = place
  const passkeys = usable.flatMap(({ passkey }) => passkey ?? [])
  if (passkeys.length === 0) return undefined
  const challenge = deps.random.bytes(32)
  const isWritten = await inTenant(deps.database, tenant.id, (db) => place.kept.writeChallenge(db, challenge))
  return isWritten ? authenticationOptions(relyingPartyOf(deps, tenant.name), challenge, passkeys) : undefined
}

/** @spec RFC 6238 §5.2 */
export async function proveByCode(proving: Proving, code: string): Promise<Verdict> {
  const { place } = proving
  const { deps, tenant, now, session } = place
  // Nothing of hers could be guessed.
  if (!proving.usable.some(({ kind }) => kind === 'totp')) return 'factor_code_wrong'
  if (!(await inTenant(deps.database, tenant.id, (db) => takeGuess(db, tenant.id, session.subjectId, 'totp', now))))
    return 'factor_guesses_spent'
  for (const factor of proving.usable) {
    const step = stepOf(place, factor, code)
    if (step === undefined) continue
    const use = { id: factor.id, subjectId: session.subjectId, now, step }
    return writeProof(proving, factor, async (db) => ((await markTotpUsed(db, tenant.id, use)) ? undefined : 'factor_step_used'))
  }
  return refused(place, 'factor_code_wrong', 'totp')
}

function stepOf(place: FactorPlace, { id, sealedSecret }: StoredFactor, code: string): number | undefined {
  if (sealedSecret === undefined) return undefined
  const opened = place.deps.sealer.open(sealedSecret, sealContextOf(place, 'factors', 'sealed_secret', id))
  if (!opened.ok) throw new Error('invariant broken: factors.sealed_secret does not open; is this the master key of this database?')
  return totpStepOf(new Secret(opened.value.toString('utf8')), code, place.now)
}

/** The challenge is used up before the answer is looked at. @spec WebAuthn §7.2 */
export async function proveByPasskey(proving: Proving, answer: string): Promise<Verdict> {
  const { place } = proving
  const { deps, tenant, now, session } = place
  const challenge = await inTenant(deps.database, tenant.id, place.kept.takeChallenge)
  if (challenge === undefined) return refused(place, 'passkey_challenge_over', 'passkey')
  const id = credentialIdOf(answer)
  const factor = proving.usable.find(({ passkey }) => passkey !== undefined && passkey.credentialId === id)
  if (factor?.passkey === undefined) return refused(place, 'passkey_unknown', 'passkey')
  const asked = { challenge, passkey: factor.passkey, personId: session.subjectId }
  const answered = await verifyAuthentication(relyingPartyOf(deps, tenant.name), asked, answer)
  if (answered === undefined) return refused(place, 'passkey_unverified', 'passkey')
  const use = { id: factor.id, subjectId: session.subjectId, now, counter: answered.counter }
  return writeProof(proving, factor, async (db) => ((await markPasskeyUsed(db, tenant.id, use)) ? undefined : 'passkey_counter_back'))
}

/** `use`: keeps it from being shown twice, or says why it was. */
async function writeProof(proving: Proving, factor: StoredFactor, use: (db: Db) => Promise<FactorRefusal | undefined>): Promise<Verdict> {
  const { place, thenEnrols } = proving
  const { deps, tenant, session } = place
  const { kind, id } = factor
  const verdict = await inTenant(deps.database, tenant.id, async (db) => {
    const used = await use(db)
    if (used !== undefined) return used
    if (!(await place.kept.writeProof(db, { id, kind, thenEnrols }))) return 'passkey_challenge_over'
    if (kind === 'totp') await forgetGuesses(db, tenant.id, session.subjectId, 'totp')
    await auditFactor(db, place, { kind: 'second_factor.proved', detail: { factor: id, factorKind: kind } })
    return 'proved' as const
  })
  return verdict === 'proved' ? verdict : refused(place, verdict, kind)
}

/** Into the trail, and back to the page. */
export async function refused(place: FactorPlace, reason: FactorRefusal, factorKind: FactorKind | 'code'): Promise<FactorRefusal> {
  const { deps, tenant } = place
  await inTenant(deps.database, tenant.id, (db) =>
    auditFactor(db, place, { kind: 'second_factor.refused', reason, detail: { factorKind } }),
  )
  return reason
}
