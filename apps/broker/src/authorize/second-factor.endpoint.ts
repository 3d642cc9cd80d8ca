/** Beside the sign-in at the IdP: a factor of ours, asked for where it is all that is missing, or enrolled. docs/adr/0034 */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import { factorKinds } from '@drawbridge/core/factor/second-factor'
import { writeFactorRound } from '@drawbridge/store/factor-rounds'
import { listFactorsOfSubject, type StoredFactor } from '@drawbridge/store/factors'
import { inTenant } from '@drawbridge/store/transaction'
import type { Answer } from '../http/answer.js'
import { endpoint } from '../http/endpoint.js'
import { refuseOnPage } from './answer.js'
import { dispatch } from './dispatch.js'
import { enrolPasskey, enrolTotp, offerOf, redeemCode } from './enrol-factor.js'
import { atRound, placeOfRequest } from './factor-place.js'
import { type Flow, loadFlow, loadPostedStep } from './flow.js'
import { ownFactorStep } from './own-factor.js'
import { challengeOf, proveByCode, proveByPasskey, refused } from './prove-factor.js'
import { challengePage, enrolPage, type FactorAct, factorActs, redeemPage } from './second-factor-pages.js'
import { acceptableSession, decideFor, type SignedIn } from './signed-in.js'

const path = '/t/:tenant/authorize/second-factor'
const common = { path, spec: 'WebAuthn, RFC 6238', tag: 'Browser flow', refusals: 'page', rateLimit: 'login' } as const

/** What the page is about. `nothing`: dispatch says where the browser goes. */
type Turn =
  | { readonly kind: 'challenge'; readonly usable: readonly StoredFactor[]; readonly leadsToEnrolment: boolean }
  | { readonly kind: 'redeem' }
  | {
      readonly kind: 'enrol'
      readonly kinds: readonly StoredFactor['kind'][]
      readonly others: readonly StoredFactor[]
      readonly isExtra: boolean
      readonly forNextTime: boolean
    }
  | { readonly kind: 'nothing' }

/** The person before the page is the one who was sent to it, and her session is alive. */
async function whoIsAsked(flow: Flow): Promise<SignedIn | undefined> {
  const { ongoing, tenant } = flow
  if (ongoing.step !== 'second_factor' || tenant.secondFactor.mode === 'off') return undefined
  const session = await acceptableSession(flow)
  return typeof session === 'object' && session.subjectId === ongoing.subjectId ? decideFor(flow, session) : undefined
}

async function turnOf(signedIn: SignedIn): Promise<Turn> {
  const { round, flow, session } = signedIn
  const { deps, tenant } = flow
  const step = await ownFactorStep(signedIn)
  if (step?.kind === 'challenge') return { ...step, leadsToEnrolment: false }
  if (step === undefined) {
    // She has proved one, and asked to add another before she goes on.
    if (round.proof === undefined || round.permittedBy !== 'factor') return { kind: 'nothing' }
    const others = await inTenant(deps.database, tenant.id, (db) => listFactorsOfSubject(db, tenant.id, session.subjectId))
    return { kind: 'enrol', kinds: factorKinds, others, isExtra: true, forNextTime: false }
  }
  const { kinds, others, by } = step
  if (by === 'factor' && round.permittedBy !== 'factor') return { kind: 'challenge', usable: others, leadsToEnrolment: true }
  if (by === 'code' && round.permittedBy !== 'code') return { kind: 'redeem' }
  return { kind: 'enrol', kinds, others, isExtra: false, forNextTime: by !== 'code' }
}

type Form = Readonly<Record<string, string>>
type Mistake = { readonly refusal: FactorRefusal; readonly form: Form }

async function show(signedIn: SignedIn, turn: Turn, mistake?: Mistake): Promise<Answer> {
  const refusal = mistake?.refusal
  const { flow } = signedIn
  switch (turn.kind) {
    case 'nothing':
      return dispatch(flow)
    case 'redeem':
      return redeemPage(flow, refusal)
    case 'challenge': {
      const asksForCode = turn.usable.some(({ kind }) => kind === 'totp')
      const passkeyOptions = await challengeOf(placeOfRequest(signedIn), turn.usable)
      return challengePage(flow, { passkeyOptions, asksForCode, leadsToEnrolment: turn.leadsToEnrolment }, refusal)
    }
    case 'enrol': {
      const offer = await offerOf(placeOfRequest(signedIn), turn.kinds, turn.others, mistake?.form['key'])
      return enrolPage(flow, { ...offer, maySkip: turn.isExtra, forNextTime: turn.forNextTime }, refusal)
    }
  }
}

export const secondFactorPageEndpoint = endpoint({
  ...common,
  method: 'GET',
  summary: 'Asks for a passkey or a code, or how a first one is enrolled.',
  run: async (http, deps) => {
    const flow = await loadFlow(http, deps, http.query.ok ? http.query.value['request'] : undefined)
    if (!flow.ok) return flow.error
    const signedIn = await whoIsAsked(flow.value)
    return signedIn ? show(signedIn, await turnOf(signedIn)) : refuseOnPage({ reason: 'request_expired' })
  },
})

const isAct = (text: string | undefined): text is FactorAct => factorActs.some((act) => act === text)
type Outcome = FactorRefusal | 'proved' | 'permitted' | 'enrolled' | 'skipped'

/** What is posted must be what the page would ask for now. */
async function carryOut(act: FactorAct, { signedIn, turn, form }: { signedIn: SignedIn; turn: Turn; form: Form }): Promise<Outcome> {
  if (act === 'redeem') return turn.kind === 'redeem' ? redeemCode(signedIn, form['code'] ?? '') : notPermitted(signedIn)
  if (act === 'skip') return turn.kind === 'enrol' && turn.isExtra ? 'skipped' : notPermitted(signedIn)
  const place = placeOfRequest(signedIn)
  if (act === 'passkey' || act === 'totp') {
    const usable = turn.kind === 'challenge' ? turn.usable.filter(({ kind }) => kind === act) : []
    const proving = { place, usable, thenEnrols: form['add'] === 'yes' || (turn.kind === 'challenge' && turn.leadsToEnrolment) }
    return act === 'passkey' ? proveByPasskey(proving, form['answer'] ?? '') : proveByCode(proving, form['code'] ?? '')
  }
  const kind = act === 'enrol_passkey' ? 'passkey' : 'totp'
  if (turn.kind !== 'enrol' || !turn.kinds.includes(kind)) return notPermitted(signedIn)
  await permitByIdp(signedIn)
  return kind === 'passkey' ? enrolPasskey(place, form['answer'] ?? '') : enrolTotp(place, form['key'] ?? '', form['code'] ?? '')
}

const notPermitted = (signedIn: SignedIn): Promise<FactorRefusal> => refused(placeOfRequest(signedIn), 'enrolment_not_permitted', 'code')

/** Several factors at the IdP, for this request and just now, permit a first one; whether they were proved has just been judged. */
async function permitByIdp(signedIn: SignedIn): Promise<void> {
  const step = await ownFactorStep(signedIn)
  if (step?.kind !== 'enrol' || step.by !== 'idp') return
  const { deps, tenant } = signedIn.flow
  await inTenant(deps.database, tenant.id, (db) => writeFactorRound(db, tenant.id, atRound(signedIn), { permittedBy: 'idp' }))
}

export const secondFactorEndpoint = endpoint({
  ...common,
  method: 'POST',
  maxBodyBytes: 65_536,
  summary: 'Takes a passkey’s answer or a code, or enrols a new factor.',
  run: async (http, deps) => {
    const posted = await loadPostedStep(http, deps, 'second_factor')
    if (!posted.ok) return posted.error
    const { flow, form } = posted.value
    const act = form['act']
    const signedIn = await whoIsAsked(flow)
    if (!signedIn || !isAct(act)) return refuseOnPage({ reason: 'request_expired' })
    const turn = await turnOf(signedIn)
    const outcome = await carryOut(act, { signedIn, turn, form })
    const present = (await decideFor(flow, signedIn.session)) ?? signedIn
    switch (outcome) {
      case 'skipped':
      case 'enrolled':
        return dispatch(flow)
      case 'proved':
      case 'permitted':
        return show(present, await turnOf(present))
      default:
        return show(present, turn.kind === 'nothing' ? turn : await turnOf(present), { refusal: outcome, form })
    }
  },
})
