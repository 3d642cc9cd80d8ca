/**
 * A new factor of a person: what permits it, what the page shows for it, and its one row.
 *
 * A permission is taken by the enrolment that it permits. The key of an app is never at rest before it is enrolled: the page carries it,
 * sealed to this request and session. What is enrolled proves nothing by that; dispatch asks for it, where it may.
 */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import { enrolmentCodeLength, type FactorKind } from '@drawbridge/core/factor/second-factor'
import { isPlainAddress, isVerifiedAddress } from '@drawbridge/core/identity/email-address'
import { parseReadableCode } from '@drawbridge/core/readable-code'
import { Secret } from '@drawbridge/core/secret'
import { hashCredential } from '@drawbridge/crypto/hash'
import { newTotpSecret, totpStepOf, totpUri } from '@drawbridge/crypto/totp'
import { registrationOptions, verifyRegistration } from '@drawbridge/crypto/webauthn'
import { tellPerson } from '@drawbridge/store/announcements'
import { forgetGuesses, redeemFactorCode, takeGuess } from '@drawbridge/store/factor-codes'
import { takeChallenge, writeFactorRound } from '@drawbridge/store/factor-rounds'
import { enrolFactor, type NewFactor, type StoredFactor } from '@drawbridge/store/factors'
import { inTenant } from '@drawbridge/store/transaction'
import { sealContextOf } from '../http/seal-context.js'
import { auditFactor } from './audit-factor.js'
import { relyingPartyOf } from './own-factor.js'
import { atRound, refused } from './prove-factor.js'
import type { EnrolmentShown } from './second-factor-pages.js'
import type { SignedIn } from './signed-in.js'

/** Of this very person; taken by its use, whatever becomes of the enrolment. */
export async function redeemCode(signedIn: SignedIn, text: string): Promise<FactorRefusal | 'permitted'> {
  const { flow, session } = signedIn
  const { deps, tenant, now } = flow
  const { subjectId } = session
  if (!(await inTenant(deps.database, tenant.id, (db) => takeGuess(db, tenant.id, subjectId, 'code', now)))) return 'factor_guesses_spent'
  const code = parseReadableCode(text, enrolmentCodeLength)
  const used =
    code !== undefined &&
    (await inTenant(deps.database, tenant.id, async (db) => {
      const id = await redeemFactorCode(db, tenant.id, { subjectId, codeHash: hashCredential(code), now })
      if (id === undefined || !(await writeFactorRound(db, tenant.id, atRound(signedIn), { permittedBy: 'code' }))) return false
      await forgetGuesses(db, tenant.id, subjectId, 'code')
      await auditFactor(db, signedIn, { kind: 'second_factor.code_used', detail: { code: id } })
      return true
    }))
  return used ? 'permitted' : refused(signedIn, 'enrolment_code_wrong', 'code')
}

/** Which row a key is sealed for that has none: this request of this session. */
const keyContext = ({ flow, session }: SignedIn) => sealContextOf(flow, 'factor_rounds', 'totp_key', `${flow.ongoing.id} ${session.id}`)

/** What the page offers; `others`: passkeys that she has are not made twice. */
export async function offerOf(
  signedIn: SignedIn,
  kinds: readonly FactorKind[],
  others: readonly StoredFactor[],
  /** Of an app whose code was mistyped: she has it there already. */
  sealedKey?: string,
): Promise<Pick<EnrolmentShown, 'passkeyOptions' | 'totp'>> {
  const { flow } = signedIn
  return {
    passkeyOptions: kinds.includes('passkey') ? await passkeyOffer(signedIn, others) : undefined,
    totp: kinds.includes('totp') ? totpOffer(signedIn, openKey(signedIn, sealedKey ?? '') ?? newTotpSecret(flow.deps.random)) : undefined,
  }
}

function openKey(signedIn: SignedIn, sealed: string): Secret | undefined {
  const opened = signedIn.flow.deps.sealer.open(Buffer.from(sealed, 'base64url'), keyContext(signedIn))
  return opened.ok ? new Secret(opened.value.toString('utf8')) : undefined
}

async function passkeyOffer(signedIn: SignedIn, others: readonly StoredFactor[]): Promise<object | undefined> {
  const { flow, session } = signedIn
  const { deps, tenant } = flow
  const challenge = deps.random.bytes(32)
  if (!(await inTenant(deps.database, tenant.id, (db) => writeFactorRound(db, tenant.id, atRound(signedIn), { challenge }))))
    return undefined
  const person = { id: session.subjectId, name: nameOf(signedIn) }
  const known = others.flatMap(({ passkey }) => passkey ?? [])
  return registrationOptions(relyingPartyOf(deps, tenant.name), person, { challenge, others: known })
}

function totpOffer(signedIn: SignedIn, secret: Secret): NonNullable<EnrolmentShown['totp']> {
  const sealed = signedIn.flow.deps.sealer.seal(Buffer.from(secret.reveal(), 'utf8'), keyContext(signedIn)).toString('base64url')
  return { secret, sealed, uri: totpUri(secret, { issuer: signedIn.flow.tenant.name, label: nameOf(signedIn) }) }
}

function nameOf({ identity }: SignedIn): string {
  const { claims, stableId } = identity
  const named = ['email', 'preferred_username', 'name']
    .map((claim) => claims.get(claim))
    .find((value) => typeof value === 'string' && value !== '')
  return String(named ?? stableId).slice(0, 64)
}

export async function enrolPasskey(signedIn: SignedIn, answer: string): Promise<FactorRefusal | 'enrolled'> {
  const { deps, tenant } = signedIn.flow
  const challenge = await inTenant(deps.database, tenant.id, (db) => takeChallenge(db, tenant.id, atRound(signedIn)))
  if (challenge === undefined) return refused(signedIn, 'passkey_challenge_over', 'passkey')
  const party = relyingPartyOf(deps, tenant.name)
  const passkey = await verifyRegistration(party, challenge, answer)
  if (passkey === undefined) return refused(signedIn, 'passkey_not_enrolled', 'passkey')
  return enrol(signedIn, { id: deps.random.uuid(), name: 'Passkey', kind: 'passkey', rpId: party.id, passkey })
}

export async function enrolTotp(signedIn: SignedIn, sealed: string, code: string): Promise<FactorRefusal | 'enrolled'> {
  const { deps, now } = signedIn.flow
  const secret = openKey(signedIn, sealed)
  const step = secret && totpStepOf(secret, code, now)
  if (secret === undefined || step === undefined) return refused(signedIn, 'totp_not_enrolled', 'totp')
  const id = deps.random.uuid()
  const sealedSecret = deps.sealer.seal(Buffer.from(secret.reveal(), 'utf8'), sealContextOf(signedIn.flow, 'factors', 'sealed_secret', id))
  // The code that was shown here is used: it proves nothing any more.
  return enrol(signedIn, { id, name: 'Authenticator app', kind: 'totp', sealedSecret, lastStep: step })
}

/** In one transaction with its line in the trail and the mail to the person. */
async function enrol(signedIn: SignedIn, factor: NewFactor): Promise<FactorRefusal | 'enrolled'> {
  const { flow, session } = signedIn
  const { deps, tenant } = flow
  const outcome = await inTenant(deps.database, tenant.id, async (db) => {
    const enrolment = { at: atRound(signedIn), subjectId: session.subjectId, subjectEpoch: session.epochs.subject, factor }
    const by = await enrolFactor(db, tenant.id, enrolment)
    if (by !== 'code' && by !== 'idp' && by !== 'factor') return by
    await auditFactor(db, signedIn, { kind: 'second_factor.enrolled', detail: { factor: factor.id, factorKind: factor.kind, by } })
    const email = signedIn.identity.claims.get('email')
    if (typeof email === 'string' && isPlainAddress(email) && isVerifiedAddress(email, session.connectionId, tenant.domains))
      await tellPerson(
        db,
        tenant.id,
        { name: nameOf(signedIn), email: email.trim() },
        { at: flow.now, kind: 'second_factor.enrolled', about: undefined, by: undefined },
      )
    return 'enrolled' as const
  })
  return outcome === 'enrolled' ? outcome : refused(signedIn, outcome, factor.kind)
}
