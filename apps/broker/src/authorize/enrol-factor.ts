/**
 * A new factor of a person: what permits it, what the page shows for it, and its one row.
 *
 * A permission is taken by the enrolment that it permits. The key of an app is never at rest before it is enrolled: the page carries it,
 * sealed to this place and session. What is enrolled proves nothing by that; dispatch asks for it, where it may.
 */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import { enrolmentCodeLength, type FactorKind, kindWords, proofWords } from '@drawbridge/core/factor/second-factor'
import { parseReadableCode } from '@drawbridge/core/readable-code'
import { Secret } from '@drawbridge/core/secret'
import { hashCredential } from '@drawbridge/crypto/hash'
import { newTotpSecret, totpStepOf, totpUri } from '@drawbridge/crypto/totp'
import { registrationOptions, verifyRegistration } from '@drawbridge/crypto/webauthn'
import { forgetGuesses, redeemFactorCode, takeGuess } from '@drawbridge/store/factor-codes'
import { writeFactorRound } from '@drawbridge/store/factor-rounds'
import { enrolFactor, type NewFactor, type StoredFactor } from '@drawbridge/store/factors'
import { inTenant } from '@drawbridge/store/transaction'
import { sealContextOf } from '../http/seal-context.js'
import { auditFactor, nameOf, tellOfFactor } from './audit-factor.js'
import type { EnrolmentOffer } from './factor-forms.js'
import { atRound, type FactorPlace, placeOfRequest } from './factor-place.js'
import { relyingPartyOf } from './own-factor.js'
import { refused } from './prove-factor.js'
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
      await auditFactor(db, placeOfRequest(signedIn), { kind: 'second_factor.code_used', detail: { code: id } })
      return true
    }))
  return used ? 'permitted' : refused(placeOfRequest(signedIn), 'enrolment_code_wrong', 'code')
}

/** Which row a key is sealed for that has none: this place of this session. */
const keyContext = (place: FactorPlace) => sealContextOf(place, place.kept.table, 'totp_key', `${place.id} ${place.session.id}`)

/** What the page offers; `others`: passkeys that she has are not made twice. */
export async function offerOf(
  place: FactorPlace,
  kinds: readonly FactorKind[],
  others: readonly StoredFactor[],
  /** Of an app whose code was mistyped: she has it there already. */
  sealedKey?: string,
): Promise<EnrolmentOffer> {
  return {
    passkeyOptions: kinds.includes('passkey') ? await passkeyOffer(place, others) : undefined,
    totp: kinds.includes('totp') ? totpOffer(place, openKey(place, sealedKey ?? '') ?? newTotpSecret(place.deps.random)) : undefined,
  }
}

function openKey(place: FactorPlace, sealed: string): Secret | undefined {
  const opened = place.deps.sealer.open(Buffer.from(sealed, 'base64url'), keyContext(place))
  return opened.ok ? new Secret(opened.value.toString('utf8')) : undefined
}

async function passkeyOffer(place: FactorPlace, others: readonly StoredFactor[]): Promise<object | undefined> {
  const { deps, tenant, session } = place
  const challenge = deps.random.bytes(32)
  if (!(await inTenant(deps.database, tenant.id, (db) => place.kept.writeChallenge(db, challenge)))) return undefined
  const person = { id: session.subjectId, name: nameOf(place) }
  const known = others.flatMap(({ passkey }) => passkey ?? [])
  return registrationOptions(relyingPartyOf(deps, tenant.name), person, { challenge, others: known })
}

function totpOffer(place: FactorPlace, secret: Secret): NonNullable<EnrolmentOffer['totp']> {
  const sealed = place.deps.sealer.seal(Buffer.from(secret.reveal(), 'utf8'), keyContext(place)).toString('base64url')
  return { secret, sealed, uri: totpUri(secret, { issuer: place.tenant.name, label: nameOf(place) }) }
}

export async function enrolPasskey(place: FactorPlace, answer: string): Promise<FactorRefusal | 'enrolled'> {
  const { deps, tenant } = place
  const challenge = await inTenant(deps.database, tenant.id, place.kept.takeChallenge)
  if (challenge === undefined) return refused(place, 'passkey_challenge_over', 'passkey')
  const party = relyingPartyOf(deps, tenant.name)
  const passkey = await verifyRegistration(party, challenge, answer)
  if (passkey === undefined) return refused(place, 'passkey_not_enrolled', 'passkey')
  return enrol(place, { id: deps.random.uuid(), name: 'Passkey', kind: 'passkey', rpId: party.id, passkey })
}

export async function enrolTotp(place: FactorPlace, sealed: string, code: string): Promise<FactorRefusal | 'enrolled'> {
  const { deps, now } = place
  const secret = openKey(place, sealed)
  const step = secret && totpStepOf(secret, code, now)
  if (secret === undefined || step === undefined) return refused(place, 'totp_not_enrolled', 'totp')
  const id = deps.random.uuid()
  const sealedSecret = deps.sealer.seal(Buffer.from(secret.reveal(), 'utf8'), sealContextOf(place, 'factors', 'sealed_secret', id))
  // The code that was shown here is used: it proves nothing any more.
  return enrol(place, { id, name: 'Authenticator app', kind: 'totp', sealedSecret, lastStep: step })
}

/** In one transaction with all who are told of it. */
async function enrol(place: FactorPlace, factor: NewFactor): Promise<FactorRefusal | 'enrolled'> {
  const { deps, tenant, session, now } = place
  const outcome = await inTenant(deps.database, tenant.id, async (db) => {
    const person = { subjectId: session.subjectId, subjectEpoch: session.epochs.subject }
    const by = await enrolFactor(db, tenant.id, { ...person, enrolledIn: place.id, now, factor, takePermit: place.kept.takePermit })
    if (by !== 'code' && by !== 'idp' && by !== 'factor') return by
    const detail = { factor: factor.id, factorKind: factor.kind, by }
    await tellOfFactor(db, place, {
      kind: 'second_factor.enrolled',
      detail,
      words: `${kindWords[factor.kind]}, allowed by ${proofWords[by]}`,
    })
    return 'enrolled' as const
  })
  return outcome === 'enrolled' ? outcome : refused(place, outcome, factor.kind)
}
