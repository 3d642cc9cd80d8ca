/**
 * Where a person types the code of a device and says that the device is hers. Then her request is one like every other, and `dispatch` decides.
 *
 * A code is looked up only by a form of ours in a browser of hers, and each that is none counts: for its address, and for the tenant.
 */
import { addSeconds, type Instant, toSeconds } from '@drawbridge/core/instant'
import { formatUserCode, parseUserCode, type UserCode, userCodeGuesses } from '@drawbridge/core/oauth/user-code'
import type { CredentialHash, DeviceCodeId } from '@drawbridge/core/tenant/ids'
import { hashUserCode } from '@drawbridge/crypto/user-code'
import { declineDevice, findWaitingDevice, type Guessed, guessUserCode, type WaitingDevice } from '@drawbridge/store/device-codes'
import { isUuid, onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { type Answer, withCookies } from '../http/answer.js'
import { bindBrowser, browserHashOf } from '../http/browser-binding.js'
import { limitKey } from '../http/client-address.js'
import { endpoint, type HttpRequest, tenantOf } from '../http/endpoint.js'
import { limitAt } from '../http/limit-at.js'
import { refuseOnPage } from './answer.js'
import { devicePage, deviceStoppedPage, userCodePage } from './device-pages.js'
import { dispatch } from './dispatch.js'
import { beginDeviceFlow, describeDevice } from './flow.js'
import { isStepProof, type ProvenStep, stepProof } from './step-proof.js'

const common = { spec: 'RFC 8628 §3.3', tag: 'Browser flow', refusals: 'page', rateLimit: 'login' } as const

const codeStep = (http: HttpRequest, browserHash: CredentialHash): ProvenStep => {
  const { id, issuer } = tenantOf(http)
  return { tenant: id, request: issuer.id, browserHash, step: 'user_code' }
}
const deviceStep = (http: HttpRequest, browserHash: CredentialHash, device: DeviceCodeId): ProvenStep => ({
  tenant: tenantOf(http).id,
  request: device,
  browserHash,
  step: 'device',
})

const isOff = (http: HttpRequest): boolean => !tenantOf(http).deviceGrant
const offPage = (): Answer => refuseOnPage({ reason: 'device_page_off' })

const userCodePageEndpoint = endpoint({
  ...common,
  method: 'GET',
  path: '/t/:tenant/device',
  summary: 'Asks for the code that a device shows; looks nothing up.',
  run: (http, deps) => {
    if (isOff(http)) return offPage()
    const browser = bindBrowser(http, deps)
    const code = parseUserCode(http.query.ok ? http.query.value['user_code'] : undefined)
    const proof = stepProof(deps.sealer, codeStep(http, browser.hash))
    const form = { tenant: tenantOf(http), proof, typed: code === undefined ? '' : formatUserCode(code) }
    return withCookies(userCodePage(form), browser.setCookies)
  },
})

const userCodeEndpoint = endpoint({
  ...common,
  method: 'POST',
  path: '/t/:tenant/device',
  summary: 'Finds the device that shows a code, and asks the person whether it is hers.',
  run: async (http, deps) => {
    if (isOff(http)) return offPage()
    const browserHash = browserHashOf(http, deps)
    const form = http.form.ok ? http.form.value : {}
    if (!browserHash || !isStepProof(deps.sealer, codeStep(http, browserHash), form['proof']))
      return refuseOnPage({ reason: 'user_code_proof_invalid' })
    const typed = form['user_code'] ?? ''
    const code = parseUserCode(typed)
    const guessed = code && (await guess(http, deps, code))
    if (guessed?.kind === 'found') return showDevice(http, deps, { browserHash, code: guessed.code, device: guessed.device })
    if (guessed?.kind === 'locked') return lockedPage(guessed.until, deps.clock.now())
    const proof = stepProof(deps.sealer, codeStep(http, browserHash))
    return userCodePage({ tenant: tenantOf(http), proof, typed, mistake: 'user_code_unknown' })
  },
})

/** Only of what can be a code: by anything else nobody learns anything, so it is no guess. */
async function guess(http: HttpRequest, deps: BrokerDeps, code: UserCode): Promise<Guessed & { readonly code: UserCode }> {
  const { id, issuer } = tenantOf(http)
  const now = deps.clock.now()
  const guessed = await guessUserCode(onHotPath(deps.database), id, {
    hashes: hashUserCode(deps.sealer, id, code),
    issuerId: issuer.id,
    guesser: limitKey(http.address),
    now,
    lockedUntil: addSeconds(now, userCodeGuesses.lockSeconds),
    mostWrongTogether: issuer.kind === 'front' ? userCodeGuesses.mostWrongAtFront : userCodeGuesses.mostWrongOfTenant,
    asked: { requestId: http.requestId, address: http.address },
  })
  deps.metrics.count('drawbridge_user_codes_total', { outcome: guessed.kind })
  return { ...guessed, code }
}

function lockedPage(until: Instant, now: Instant): Answer {
  const refused = refuseOnPage({ reason: 'user_codes_locked' })
  return { ...refused, headers: { ...refused.headers, 'retry-after': String(Math.max(1, toSeconds(until) - toSeconds(now))) } }
}

type Found = { readonly browserHash: CredentialHash; readonly code: UserCode; readonly device: WaitingDevice }

async function showDevice(http: HttpRequest, deps: BrokerDeps, { browserHash, code, device }: Found): Promise<Answer> {
  const tenant = await deps.configuration.atVersion(tenantOf(http), device.present.configurationVersion)
  const described = await describeDevice(deps, tenant, device)
  if (!described) return refuseOnPage({ reason: 'request_expired' })
  const proof = stepProof(deps.sealer, deviceStep(http, browserHash, device.id))
  const company = tenant.issuer.kind === 'front' ? await companyNamed(deps, described.pending.loginHint) : tenant.name
  return devicePage({ ...described, tenant, company, device, userCode: code, proof })
}

/** The company that the device has said, at the front issuer; else the person says it next. */
async function companyNamed(deps: BrokerDeps, said: string | undefined): Promise<string | undefined> {
  return said === undefined ? undefined : (await deps.configuration.find(said, 'front_member'))?.name
}

const confirmDeviceEndpoint = endpoint({
  ...common,
  method: 'POST',
  path: '/t/:tenant/device/confirm',
  summary: 'The person says that the device is hers, and signs in for it; or that it is not.',
  run: async (http, deps) => {
    if (isOff(http)) return offPage()
    const tenant = tenantOf(http)
    const browserHash = browserHashOf(http, deps)
    const form = http.form.ok ? http.form.value : {}
    const id = form['device'] as DeviceCodeId | undefined
    if (!browserHash || id === undefined || !isUuid(id) || !isStepProof(deps.sealer, deviceStep(http, browserHash, id), form['proof']))
      return refuseOnPage({ reason: 'user_code_proof_invalid' })
    const at = { id, issuerId: tenant.issuer.id, now: deps.clock.now() }
    if (form['answer'] !== 'continue') return stop(http, deps, at)
    const limited = http.spend(limitAt(tenant, 'tenant_login'), tenant.id)
    if (limited) return limited
    const device = await findWaitingDevice(onHotPath(deps.database), tenant.id, at)
    if (!device) return refuseOnPage({ reason: 'request_expired' })
    const flow = await beginDeviceFlow({ http, deps, tenant, browserHash }, device)
    return flow.ok ? dispatch(flow.value) : flow.error
  },
})

async function stop(http: HttpRequest, deps: BrokerDeps, at: Parameters<typeof findWaitingDevice>[2]): Promise<Answer> {
  const asked = { requestId: http.requestId, address: http.address }
  const declined = await declineDevice(onHotPath(deps.database), tenantOf(http).id, { ...at, asked })
  if (declined) deps.metrics.count('drawbridge_user_codes_total', { outcome: 'declined' })
  return deviceStoppedPage()
}

export const deviceEndpoints = [userCodePageEndpoint, userCodeEndpoint, confirmDeviceEndpoint]
