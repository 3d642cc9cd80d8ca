/**
 * Domains on the set-up pages: claimed and proven by the rules of the admin API, and by this link's claims alone.
 *
 * A claim is worth nothing, tells nobody whose a domain is, and names no connection: where a tenant has several, an admin says which. The
 * proof is the zone's word, so a link in wrong hands proves only what those hands own anyway, and the contacts read of it.
 */
import { challengeName, parseOwnableDomain } from '@drawbridge/core/tenant/domain-proof'
import {
  insertDomain,
  listDomainsOfSetupLink,
  markDomainProven,
  mostDomainsOfSetupLink,
  type StoredDomain,
} from '@drawbridge/store/domains'
import { hasRoomFor } from '@drawbridge/store/tenant-room'
import { type Db, inTenant } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../../deps.js'
import type { Answer } from '../../http/answer.js'
import { type Endpoint, endpoint, type HttpRequest } from '../../http/endpoint.js'
import { adminErrors } from '../error.js'
import { lookForProof } from '../prove-domain.js'
import { isAnswer, provenSession, refuse, sentence, setupCommon, staysAlive, tell, toSteps } from './setup-act.js'
import { stepsPage } from './setup-pages.js'
import type { SetupSession } from './setup-session.js'

/** A session that may claim, and one look of what its link has left. */
async function claimingSession(http: HttpRequest, deps: BrokerDeps): Promise<SetupSession | Answer> {
  const session = await provenSession(http, deps)
  if (isAnswer(session)) return session
  if (session.draft.state === 'declined') return refuse('setup_form_invalid')
  return http.spend('setup', session.link.id) ?? session
}

const given = (http: HttpRequest): string => (http.form.ok ? http.form.value['domain'] : undefined) ?? ''
const troubled = (session: SetupSession, deps: BrokerDeps, domain: string): Answer =>
  stepsPage(session, { trouble: { domain }, status: 400, now: deps.clock.now() })

/** What the schema refuses: in one tenant a domain stands once, and of all tenants one has it proven. */
async function unlessTaken<T>(write: () => Promise<T>): Promise<T | 'taken'> {
  try {
    return await write()
  } catch (cause) {
    if ((cause as { readonly code?: unknown } | undefined)?.code === '23505') return 'taken'
    throw cause
  }
}

/** In a transaction in which the link lives until its end; `undefined`: it does no more. */
const whileLiving = <T>(deps: BrokerDeps, session: SetupSession, act: (db: Db) => Promise<T>): Promise<T | undefined> =>
  inTenant(deps.database, session.tenant.id, async (db) => ((await staysAlive(db, deps, session)) ? act(db) : undefined))

const claim = endpoint({
  ...setupCommon,
  method: 'POST',
  path: '/t/:tenant/setup/domains',
  summary: 'Claims a domain for the company, which is worth nothing until its DNS proves it.',
  run: async (http, deps) => {
    const session = await claimingSession(http, deps)
    if (isAnswer(session)) return session
    const ownable = parseOwnableDomain(given(http))
    if (!ownable.ok) return troubled(session, deps, sentence(adminErrors[ownable.error].say))
    const domain = ownable.value
    const { tenant, link } = session
    const done = await unlessTaken(() =>
      whileLiving(deps, session, async (db) => {
        if ((await listDomainsOfSetupLink(db, tenant.id, link.id)).length >= mostDomainsOfSetupLink) return 'full'
        if (!(await hasRoomFor(db, tenant.id, 'domains'))) return 'tenant_full'
        const draft = { domain, challenge: deps.random.token(), setupLinkId: link.id, now: deps.clock.now() }
        await insertDomain(db, tenant.id, draft)
        await tell(db, deps, http, { link, kind: 'domain.added', name: domain, detail: { domain, verified: false } })
        return 'claimed'
      }),
    )
    deps.configuration.invalidate(tenant.id)
    if (done === 'taken') return troubled(session, deps, `${domain} is claimed for your company already.`)
    if (done === 'full') return troubled(session, deps, `One link claims at most ${mostDomainsOfSetupLink} domains.`)
    if (done === 'tenant_full')
      return troubled(session, deps, 'Your company has as many domains as it may have here. Ask whoever sent you the link.')
    return done === undefined ? refuse('setup_link_unusable') : toSteps(http)
  },
})

const check = endpoint({
  ...setupCommon,
  method: 'POST',
  path: '/t/:tenant/setup/domains/verify',
  summary: 'Looks at the DNS of a domain that this link claimed: what proves it makes it the company’s.',
  run: async (http, deps) => {
    const session = await claimingSession(http, deps)
    if (isAnswer(session)) return session
    const claimed = session.domains.find(({ domain }) => domain === given(http))
    return claimed?.challenge === undefined ? refuse('setup_form_invalid') : prove(http, deps, session, claimed.challenge, claimed)
  },
})

async function prove(
  http: HttpRequest,
  deps: BrokerDeps,
  session: SetupSession,
  challenge: string,
  { domain }: StoredDomain,
): Promise<Answer> {
  const { tenant, link } = session
  const seen = await lookForProof(deps, { domain, challenge })
  if (!seen.ok) return troubled(session, deps, `${challengeName(domain)} ${seen.error}.`)
  const done = await unlessTaken(() =>
    whileLiving(deps, session, async (db) => {
      const marked = await markDomainProven(db, tenant.id, seen.value)
      if (marked) await tell(db, deps, http, { link, kind: 'domain.proven', name: domain, detail: { domain } })
      return marked
    }),
  )
  deps.configuration.invalidate(tenant.id)
  if (done === 'taken') return troubled(session, deps, `${domain} is proven by somebody else here: ask whoever sent you the link.`)
  return done === undefined ? refuse('setup_form_invalid') : toSteps(http)
}

export const setupDomainEndpoints: readonly Endpoint[] = [claim, check]
