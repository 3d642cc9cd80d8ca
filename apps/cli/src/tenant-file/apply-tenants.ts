/**
 * `drawbridge apply`: files → tenants → what is there → plans, and only when all of that is free of mistakes the first write.
 * What stops half-way is told change by change; the next run makes its plan of what is there then, and so completes it.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { AdminClient, Refused } from '../admin/admin-client.js'
import type { Outcome, Run, Tools } from '../admin/command.js'
import { exitCodes } from '../admin/help.js'
import { carryOut, type ShownOnce, type Stopped } from './carry-out.js'
import { writeTenantFile } from './declare-tenant.js'
import { fetchTenant } from './fetch-tenant.js'
import type { LiveTenant } from './live-tenant.js'
import { loadPolicy, loadSecret, loadTexts } from './load-files.js'
import { type PolicyTexts, planTenant } from './plan.js'
import { type Plan, type PlanOptions, type SecretNamed, secret } from './plan-change.js'
import { type FileMistake, mistakeAt, type PlacedTenant, readTenantFiles } from './read-tenant-files.js'
import type { SecretReference } from './shape.js'
import { planAsJson, showPlan } from './show-plan.js'

type Said = {
  readonly files: readonly string[]
  readonly tenant?: string
  readonly dryRun?: boolean
  readonly prune?: boolean
  readonly secrets?: boolean
  readonly expect?: string
}
type Ready = {
  readonly tenant: PlacedTenant
  readonly live: LiveTenant | undefined
  readonly plan: Plan
  readonly secretOf: (reference: SecretReference) => string
}
type Refusal = { readonly mistakes: readonly FileMistake[] } | { readonly refused: Refused }

export const applyTenants: Run = async ({ body }, tools) => {
  const said = body as unknown as Said
  const ready = await prepare(said, tools)
  if (!ready.ok) return 'refused' in ready.error ? { kind: 'refused', refused: ready.error.refused } : refuseMistakes(ready.error.mistakes)
  const plans = ready.value.map(({ plan }) => plan)
  const state = stateOf(ready.value.map(({ live }) => live))
  tools.say([`At ${tools.client.origin}`, ...plans.map(showPlan), `State: ${state}`].join('\n'))
  if (said.expect !== undefined && said.expect !== state) return refuseMoved('the state that you expect is another')
  const changes = plans.flatMap((plan) => plan.changes)
  const answer = { tenants: plans.map(planAsJson), state, applied: false }
  if (changes.length === 0) return { kind: 'done', answer: { ...answer, applied: true }, says: 'Everything is as the files say.' }
  if (said.dryRun === true) return { kind: 'done', answer, says: 'Nothing was written: a dry run.' }
  const taken = plans.flatMap(takenAway)
  const agreed = taken.length === 0 ? 'agreed' : await tools.confirm(`Take away ${taken.join('; ')}? What ends by it does not come back.`)
  if (agreed !== 'agreed') return { kind: agreed }
  const moved = await findMoved(ready.value, tools.client)
  if (!moved.ok) return { kind: 'refused', refused: moved.error }
  return moved.value === undefined ? carryAllOut(ready.value, tools) : refuseMoved(`tenant ${moved.value} changed while the plan was shown`)
}

/** A short word for what the plan saw, as a file would say it: whoever expects it has nothing overwritten that changed since. */
const stateOf = (living: readonly (LiveTenant | undefined)[]): string =>
  sha256Base64url(JSON.stringify(living.map((live) => (live === undefined ? null : writeTenantFile(live))))).slice(0, 16)

/** Looked at once more before the first write. What changes during the writes, which take seconds, is not seen. */
async function findMoved(ready: readonly Ready[], client: AdminClient): Promise<Result<string | undefined, Refused>> {
  for (const { plan, live } of ready.filter((each) => each.plan.changes.length > 0)) {
    const now = await fetchTenant(client, plan.slug)
    if (!now.ok) return now
    if (stateOf([now.value]) !== stateOf([live])) return ok(plan.slug)
  }
  return ok(undefined)
}

const refuseMoved = (why: string): Outcome => ({
  kind: 'refused',
  refused: {
    ...{ status: 412, reason: '', title: 'Somebody changed it', errors: [] },
    detail: `${why}: nothing was written. Look at the plan anew: drawbridge apply --dry-run, or compare drawbridge export with your file`,
  },
})

const takenAway = ({ slug, changes }: Plan): readonly string[] => {
  const taken = changes.filter(({ does }) => does === 'take away').map(({ what }) => what)
  return taken.length === 0 ? [] : [`${taken.join(', ')} of tenant ${slug}`]
}

const refuseMistakes = (mistakes: readonly FileMistake[]): Outcome => ({
  kind: 'refused',
  refused: {
    status: 400,
    reason: '',
    title: mistakes.length === 1 ? 'A mistake' : `${mistakes.length} mistakes`,
    detail: 'nothing was written',
    errors: mistakes.map(({ file, line, column, path, say }) => ({
      path: `${file}:${line}:${column}`,
      message: path === '' ? say : `${path}: ${say}`,
    })),
  },
})

async function prepare(said: Said, tools: Tools): Promise<Result<readonly Ready[], Refusal>> {
  const texts = loadTexts(said.files)
  if (!texts.ok) return err({ mistakes: texts.error })
  const tenants = readTenantFiles(texts.value, said.tenant)
  if (!tenants.ok) return err({ mistakes: tenants.error })
  const vendorResources = await vendorResourcesFor(tenants.value, tools.client)
  if (!vendorResources.ok) return err({ refused: vendorResources.error })
  const options: PlanOptions = { prune: said.prune === true, secrets: said.secrets === true, vendorResources: vendorResources.value }
  const ready: Ready[] = []
  const mistakes: FileMistake[] = []
  for (const tenant of tenants.value) {
    const live = await fetchTenant(tools.client, tenant.value.tenant.slug)
    if (!live.ok) return err({ refused: live.error })
    const planned = await planOne(tenant, live.value, options, tools)
    if (planned.ok) ready.push(planned.value)
    else if ('refused' in planned.error) return planned
    else mistakes.push(...planned.error.mistakes)
  }
  return mistakes.length === 0 ? ok(ready) : err({ mistakes })
}

/** Asked for where a file names some; only keys of the vendor may see them, and only those may share. */
async function vendorResourcesFor(tenants: readonly PlacedTenant[], client: AdminClient) {
  if (tenants.every(({ value }) => (value.sharedResources ?? []).length === 0)) return ok([])
  const listed = await client.list('/shared-resources', { member: 'resources' })
  if (!listed.ok) return listed.error.reason === 'vendor_only' ? ok([]) : listed
  return ok(listed.value as PlanOptions['vendorResources'])
}

const noTexts: PolicyTexts = { policy: undefined, cases: undefined }

async function planOne(
  tenant: PlacedTenant,
  live: LiveTenant | undefined,
  options: PlanOptions,
  tools: Tools,
): Promise<Result<Ready, Refusal>> {
  const policy = loadPolicy(tenant)
  const plan = planTenant(tenant.value, policy.ok ? policy.value : noTexts, live, options)
  const secrets = loadSecrets(tenant, plan, tools)
  const mistakes = [
    ...(policy.ok ? [] : policy.error),
    ...plan.impossible.map(({ path, say }) => mistakeAt(tenant, path, say)),
    ...secrets.mistakes,
  ]
  const metadata = live === undefined ? ok([]) : await lookAtMetadata(tenant, live, tools.client)
  if (!metadata.ok) return err({ refused: metadata.error })
  mistakes.push(...metadata.value)
  const secretOf = (reference: SecretReference): string => secrets.read.get(JSON.stringify(reference)) ?? ''
  return mistakes.length === 0 ? ok({ tenant, live, plan, secretOf }) : err({ mistakes })
}

/** Those that the plan sends, and no others: a machine that changes a policy needs no secret of an IdP. */
function loadSecrets(tenant: PlacedTenant, plan: Plan, { environment }: Tools) {
  const needed = new Set(plan.changes.flatMap(({ steps }) => steps.flatMap(secretsIn)).map((reference) => JSON.stringify(reference)))
  const read = new Map<string, string>()
  const mistakes: FileMistake[] = []
  for (const [index, { clientSecret }] of (tenant.value.connections ?? []).entries()) {
    const key = JSON.stringify(clientSecret)
    if (clientSecret === undefined || !needed.has(key)) continue
    const loaded = loadSecret(tenant.file, clientSecret, environment)
    if (loaded.ok) read.set(key, loaded.value)
    else mistakes.push(mistakeAt(tenant, ['connections', index, 'clientSecret'], loaded.error))
  }
  return { read, mistakes }
}

const secretsIn = (step: Plan['changes'][number]['steps'][number]): readonly SecretReference[] => {
  if (step.kind === 'configure') return step.clientSecret ? [step.clientSecret[secret]] : []
  const body = step.kind === 'call' ? (step.body as { readonly clientSecret?: SecretNamed } | undefined) : undefined
  const given = body?.clientSecret
  return given !== undefined && secret in given ? [given[secret]] : []
}

/** Metadata that would be used for the first time is looked at before anything is written. For a tenant that is yet to be made nobody can. */
async function lookAtMetadata(
  tenant: PlacedTenant,
  live: LiveTenant,
  client: AdminClient,
): Promise<Result<readonly FileMistake[], Refused>> {
  const mistakes: FileMistake[] = []
  for (const [index, { name, metadata }] of (tenant.value.connections ?? []).entries()) {
    if (metadata === undefined || live.connections.some((each) => each.name === name && each.metadata?.url === metadata.url)) continue
    const { url: metadataUrl, ...given } = metadata
    const looked = await client.call('POST', `/tenants/${live.slug}/connections/diagnose-metadata`, { metadataUrl, ...given })
    if (!looked.ok && looked.error.reason !== 'metadata_invalid') return looked
    const said = looked.ok ? errorsOf(looked.value) : looked.error.errors.map(({ message }) => message)
    mistakes.push(...said.map((say) => mistakeAt(tenant, ['connections', index, 'metadata'], say)))
  }
  return ok(mistakes)
}

type Diagnosis = { readonly findings: readonly { readonly severity: string; readonly cause: string; readonly remedy: string }[] }
const errorsOf = (diagnosis: unknown): readonly string[] =>
  (diagnosis as Diagnosis).findings.filter(({ severity }) => severity === 'error').map(({ cause, remedy }) => `${cause} ${remedy}`)

async function carryAllOut(ready: readonly Ready[], tools: Tools): Promise<Outcome> {
  const secrets: ShownOnce[] = []
  const show = (shown: ShownOnce) => {
    secrets.push(shown)
    tools.show(`${shown.what}: ${shown.secret}   (shown this once)`)
  }
  let done = 0
  for (const { live, plan, secretOf } of ready) {
    const carried = await carryOut(plan, { client: tools.client, live, secretOf, say: tools.say, show })
    if (!carried.ok) return stopped(carried.error, { done: done + carried.error.done.length, secrets, slug: plan.slug })
    done += carried.value.length
  }
  return {
    kind: 'done',
    answer: { tenants: ready.map(({ plan }) => planAsJson(plan)), applied: true, secrets },
    says: `${done} ${done === 1 ? 'change' : 'changes'} made.`,
  }
}

type SoFar = { readonly done: number; readonly secrets: readonly ShownOnce[]; readonly slug: string }

/** A call that nobody answered may have been carried out: the next plan knows. */
function stopped({ at, stepsDone, left, refused }: Stopped, { done, secrets, slug }: SoFar): Outcome {
  const isHalfway = done > 0 || stepsDone > 0
  const where = `It stopped at: ${at.does} ${at.what} of ${slug}; ${done} changes are done, ${left} are left in this tenant.`
  const detail = `${refused.detail}. ${where} Mend it and apply again: what is done stays, and the rest is completed.`
  return {
    kind: 'refused',
    ...(isHalfway && { exitCode: exitCodes.halfway.code }),
    refused: { ...refused, title: isHalfway ? `Stopped half-way: ${refused.title}` : refused.title, detail },
    answer: { done, stoppedAt: `${at.does} ${at.what}`, tenant: slug, secrets },
  }
}
