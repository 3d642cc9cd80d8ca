/**
 * The page of a person's own second factors: after a fresh sign-in and behind one of them, she sees them, adds one and takes one away.
 *
 * Every view is read-only; what changes something is posted with a proof that names the visit, the session and the act, and is judged again in
 * the transaction that changes it. docs/adr/0055
 */
import type { FactorRefusal } from '@drawbridge/core/factor/error'
import { factorKinds, kindWords, mayProve, refuseRemoval, worksUnder } from '@drawbridge/core/factor/second-factor'
import { findFactorVisit } from '@drawbridge/store/factor-visits'
import { removeFactor, type StoredFactor } from '@drawbridge/store/factors'
import { inTenant } from '@drawbridge/store/transaction'
import { type Answer, redirect, withCookies } from '../http/answer.js'
import { bindBrowser, browserHashOf } from '../http/browser-binding.js'
import { endpoint, tenantOf } from '../http/endpoint.js'
import { usableConnections } from '../http/tenant.js'
import { refuseOnPage } from './answer.js'
import { tellOfFactor } from './audit-factor.js'
import { enrolPasskey, enrolTotp, offerOf } from './enrol-factor.js'
import { beginVisit, loadVisit, type Visit, visitLocation } from './factor-visit.js'
import {
  addPage,
  beginAgainPage,
  beginPage,
  listPage,
  nonePage,
  provenAct,
  provenBeginning,
  removePage,
  showOnePage,
  type VisitAct,
  visitActs,
} from './factor-visit-pages.js'
import { relyingPartyOf } from './own-factor.js'
import { challengeOf, proveByCode, proveByPasskey, refused } from './prove-factor.js'
import { isStepProof } from './step-proof.js'

const path = '/t/:tenant/factors'
const common = { spec: 'WebAuthn, RFC 6238', tag: 'Browser flow', refusals: 'page', rateLimit: 'login' } as const

type Form = Readonly<Record<string, string>>

const rpIdOf = ({ place: { deps, tenant } }: Visit): string => relyingPartyOf(deps, tenant.name).id

/** Those that may be shown here: of this RP ID, and not added in this very visit. */
const usableIn = (visit: Visit): readonly StoredFactor[] =>
  visit.factors.filter((factor) => worksUnder(rpIdOf(visit), factor) && mayProve(factor, visit.id))

/** Nothing is shown of her factors before she has shown one. */
async function askForOne(visit: Visit, refusal?: FactorRefusal): Promise<Answer> {
  if (visit.factors.length === 0) return nonePage(visit)
  const usable = usableIn(visit)
  if (usable.length === 0) return beginAgainPage(visit, refusal)
  const passkeyOptions = await challengeOf(visit.place, usable)
  return showOnePage(visit, { passkeyOptions, asksForCode: usable.some(({ kind }) => kind === 'totp') }, refusal)
}

const askToAdd = async (visit: Visit, mistake?: { readonly refusal: FactorRefusal; readonly form: Form }): Promise<Answer> =>
  addPage(visit, await offerOf(visit.place, factorKinds, visit.factors, mistake?.form['key']), mistake?.refusal)

export const factorVisitPageEndpoint = endpoint({
  ...common,
  path,
  method: 'GET',
  summary: 'Shows a person her own second factors, once she has signed in for it and shown one of them.',
  run: async (http, deps) => {
    const asked = http.query.ok ? http.query.value : {}
    const tenant = tenantOf(http)
    if (asked['visit'] === undefined) {
      if (tenant.secondFactor.mode === 'off') return refuseOnPage({ reason: 'factors_off' })
      if (usableConnections(tenant).length === 0) return refuseOnPage({ reason: 'connection_missing' })
      const browser = bindBrowser(http, deps)
      return withCookies(beginPage(deps, tenant, browser.hash), browser.setCookies)
    }
    const visit = await loadVisit(http, deps, asked['visit'])
    if (!visit.ok) return visit.error
    if (visit.value.provedBy === undefined) return askForOne(visit.value)
    if (asked['step'] === 'add') return askToAdd(visit.value)
    const factor = visit.value.factors.find(({ id }) => id === asked['remove'])
    return factor ? removePage(visit.value, factor) : listPage(visit.value)
  },
})

export const beginFactorVisitEndpoint = endpoint({
  ...common,
  path: `${path}/sign-in`,
  method: 'POST',
  summary: 'Leaves for the sign-in after which a person sees her own second factors.',
  run: async (http, deps) => {
    const form: Form = http.form.ok ? http.form.value : {}
    const tenant = tenantOf(http)
    const browserHash = browserHashOf(http, deps)
    if (!browserHash || !isStepProof(deps.sealer, provenBeginning(tenant, browserHash), form['proof']))
      return refuseOnPage({ reason: 'step_proof_invalid' })
    if (tenant.secondFactor.mode === 'off') return refuseOnPage({ reason: 'factors_off' })
    const connection = usableConnections(tenant).find(({ id }) => id === form['connection'])
    return connection ? beginVisit({ http, deps, browserHash }, connection) : refuseOnPage({ reason: 'connection_unknown' })
  },
})

const isAct = (text: string | undefined): text is VisitAct => visitActs.some((act) => act === text)
type Outcome = FactorRefusal | 'proved' | 'enrolled' | 'removed'

async function carryOut(visit: Visit, act: VisitAct, form: Form): Promise<Outcome> {
  const { place } = visit
  if (act === 'passkey' || act === 'totp') {
    const proving = { place, usable: usableIn(visit).filter(({ kind }) => kind === act), thenEnrols: false }
    return act === 'passkey' ? proveByPasskey(proving, form['answer'] ?? '') : proveByCode(proving, form['code'] ?? '')
  }
  if (visit.provedBy === undefined) return refused(place, 'factor_not_shown', 'code')
  if (act === 'enrol_passkey') return enrolPasskey(place, form['answer'] ?? '')
  if (act === 'enrol_totp') return enrolTotp(place, form['key'] ?? '', form['code'] ?? '')
  return remove(visit, form['factor'] ?? '')
}

/** Judged once more on what she has and has shown when nobody else changes it. */
async function remove(visit: Visit, id: string): Promise<FactorRefusal | 'removed'> {
  const { place, browserHash } = visit
  const { deps, tenant, session, now } = place
  const person = { subjectId: session.subjectId, subjectEpoch: session.epochs.subject }
  const at = { id: visit.id, issuerId: tenant.issuer.id, browserHash, sessionId: session.id, subjectId: session.subjectId, now }
  const outcome = await inTenant(deps.database, tenant.id, async (db) => {
    const removed = await removeFactor(db, tenant.id, {
      ...person,
      id,
      judge: async (factors) => {
        const provedBy = (await findFactorVisit(db, tenant.id, at))?.provedBy
        return refuseRemoval({ factors, id, provedBy, rpId: rpIdOf(visit), now })
      },
    })
    if (typeof removed === 'string') return removed
    const detail = { factor: id, factorKind: removed.kind, by: visit.provedBy ?? '' }
    await tellOfFactor(db, place, { kind: 'second_factor.removed', detail, words: kindWords[removed.kind] })
    return 'removed' as const
  })
  return outcome === 'removed' ? outcome : refused(place, outcome, visit.factors.find((factor) => factor.id === id)?.kind ?? 'code')
}

export const factorVisitEndpoint = endpoint({
  ...common,
  path,
  method: 'POST',
  maxBodyBytes: 65_536,
  summary: 'Takes a factor that is shown, adds one, or takes one away, by the person whose they are.',
  run: async (http, deps) => {
    if (!http.form.ok) return refuseOnPage({ reason: 'step_proof_invalid' })
    const form = http.form.value
    const act = form['act']
    const loaded = await loadVisit(http, deps, form['visit'])
    if (!loaded.ok) return loaded.error
    const visit = loaded.value
    if (!isAct(act) || !isStepProof(deps.sealer, provenAct(visit, act, form['factor']), form['proof']))
      return refuseOnPage({ reason: 'step_proof_invalid' })
    const outcome = await carryOut(visit, act, form)
    if (outcome === 'proved' || outcome === 'enrolled' || outcome === 'removed')
      return redirect(visitLocation(visit.place.tenant, visit.id), { headers: { 'cache-control': 'no-store' } })
    const present = await loadVisit(http, deps, form['visit'])
    if (!present.ok) return present.error
    if (present.value.provedBy === undefined) return askForOne(present.value, outcome)
    return act === 'remove' ? listPage(present.value, outcome) : askToAdd(present.value, { refusal: outcome, form })
  },
})

export const factorVisitEndpoints = [factorVisitPageEndpoint, beginFactorVisitEndpoint, factorVisitEndpoint]
