/**
 * A factor of ours, shown: judged, kept from being shown twice, and written down as the proof of this one request, in one transaction.
 *
 * A guess is taken before it is judged and in a transaction of its own, so that guesses at the same moment, at any process, each count.
 */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import { type FactorKind, methodsOfKind } from '@drawbridge/core/factor/second-factor'
import { Secret } from '@drawbridge/core/secret'
import { totpStepOf } from '@drawbridge/crypto/totp'
import { credentialIdOf, verifyAuthentication } from '@drawbridge/crypto/webauthn'
import { forgetGuesses, takeGuess } from '@drawbridge/store/factor-codes'
import { type AtRound, takeChallenge, writeFactorRound } from '@drawbridge/store/factor-rounds'
import { markPasskeyUsed, markTotpUsed, type StoredFactor } from '@drawbridge/store/factors'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import { sealContextOf } from '../http/seal-context.js'
import { auditFactor } from './audit-factor.js'
import { relyingPartyOf } from './own-factor.js'
import type { SignedIn } from './signed-in.js'

export type Proving = {
  readonly signedIn: SignedIn
  /** Those that may be used here. */
  readonly usable: readonly StoredFactor[]
  /** She enrols another one by it. */
  readonly thenEnrols: boolean
}

export const atRound = ({ flow, session }: Pick<SignedIn, 'flow' | 'session'>): AtRound => ({
  requestId: flow.ongoing.id,
  browserHash: flow.browserHash,
  sessionId: session.id,
  now: flow.now,
})

type Verdict = FactorRefusal | 'proved'

/** @spec RFC 6238 §5.2 */
export async function proveByCode(proving: Proving, code: string): Promise<Verdict> {
  const { flow, session } = proving.signedIn
  const { deps, tenant, now } = flow
  // Nothing of hers could be guessed.
  if (!proving.usable.some(({ kind }) => kind === 'totp')) return 'factor_code_wrong'
  if (!(await inTenant(deps.database, tenant.id, (db) => takeGuess(db, tenant.id, session.subjectId, 'totp', now))))
    return 'factor_guesses_spent'
  for (const factor of proving.usable) {
    const step = stepOf(proving.signedIn, factor, code)
    if (step === undefined) continue
    const use = { id: factor.id, subjectId: session.subjectId, now, step }
    return writeProof(proving, factor, async (db) => ((await markTotpUsed(db, tenant.id, use)) ? undefined : 'factor_step_used'))
  }
  return refused(proving.signedIn, 'factor_code_wrong', 'totp')
}

function stepOf({ flow }: SignedIn, { id, sealedSecret }: StoredFactor, code: string): number | undefined {
  if (sealedSecret === undefined) return undefined
  const opened = flow.deps.sealer.open(sealedSecret, sealContextOf(flow, 'factors', 'sealed_secret', id))
  if (!opened.ok) throw new Error('invariant broken: factors.sealed_secret does not open; is this the master key of this database?')
  return totpStepOf(new Secret(opened.value.toString('utf8')), code, flow.now)
}

/** The challenge is used up before the answer is looked at. @spec WebAuthn §7.2 */
export async function proveByPasskey(proving: Proving, answer: string): Promise<Verdict> {
  const { flow, session } = proving.signedIn
  const { deps, tenant, now } = flow
  const challenge = await inTenant(deps.database, tenant.id, (db) => takeChallenge(db, tenant.id, atRound(proving.signedIn)))
  if (challenge === undefined) return refused(proving.signedIn, 'passkey_challenge_over', 'passkey')
  const id = credentialIdOf(answer)
  const factor = proving.usable.find(({ passkey }) => passkey !== undefined && passkey.credentialId === id)
  if (factor?.passkey === undefined) return refused(proving.signedIn, 'passkey_unknown', 'passkey')
  const asked = { challenge, passkey: factor.passkey, personId: session.subjectId }
  const answered = await verifyAuthentication(relyingPartyOf(deps, tenant.name), asked, answer)
  if (answered === undefined) return refused(proving.signedIn, 'passkey_unverified', 'passkey')
  const use = { id: factor.id, subjectId: session.subjectId, now, counter: answered.counter }
  return writeProof(proving, factor, async (db) => ((await markPasskeyUsed(db, tenant.id, use)) ? undefined : 'passkey_counter_back'))
}

/** `use`: keeps it from being shown twice, or says why it was. */
async function writeProof(proving: Proving, factor: StoredFactor, use: (db: Db) => Promise<FactorRefusal | undefined>): Promise<Verdict> {
  const { signedIn, thenEnrols } = proving
  const { deps, tenant } = signedIn.flow
  const { kind, id: factorId } = factor
  const proof = { methods: methodsOfKind[kind], factorId }
  const verdict = await inTenant(deps.database, tenant.id, async (db) => {
    const used = await use(db)
    if (used !== undefined) return used
    if (!(await writeFactorRound(db, tenant.id, atRound(signedIn), { proof, permittedBy: thenEnrols ? 'factor' : undefined })))
      return 'passkey_challenge_over'
    if (kind === 'totp') await forgetGuesses(db, tenant.id, signedIn.session.subjectId, 'totp')
    await auditFactor(db, signedIn, { kind: 'second_factor.proved', detail: { factor: factorId, factorKind: kind } })
    return 'proved' as const
  })
  return verdict === 'proved' ? verdict : refused(signedIn, verdict, kind)
}

/** Into the trail, and back to the page. */
export async function refused(signedIn: SignedIn, reason: FactorRefusal, factorKind: FactorKind | 'code'): Promise<FactorRefusal> {
  const { deps, tenant } = signedIn.flow
  await inTenant(deps.database, tenant.id, (db) =>
    auditFactor(db, signedIn, { kind: 'second_factor.refused', reason, detail: { factorKind } }),
  )
  return reason
}
