/** Commands of policies that need several calls, or whose answers are read line by line. */
import type { AdminClient, Answered } from './admin-client.js'
import type { Given, Outcome, Run, Tools } from './command.js'
import { exitCodes } from './help.js'
import { fillPath } from './make-call.js'
import { type DryRun, dryRunLinesOf } from './show-dry-run.js'
import { type Diff, type Draft, diffLinesOf, draftLinesOf, type Judged, judgedLinesOf } from './show-policy.js'
import { type Replay, replayLinesOf } from './show-replay.js'
import { type CheckedWall, wallLinesOf } from './show-wall.js'

const tenantPath = '/tenants/{tenant}'
const draftPath = `${tenantPath}/policy-drafts/{id}`

/** Shows what came, line by line; with `fails`, the exit code says it too. */
function told<T>(answered: Answered, { show }: Tools, linesOf: (answer: T) => readonly string[], fails?: (answer: T) => boolean): Outcome {
  if (!answered.ok) return { kind: 'refused', refused: answered.error }
  const answer = answered.value as T
  for (const line of linesOf(answer)) show(line)
  return { kind: 'done', answer, ...(fails?.(answer) === true && { exitCode: exitCodes.refused.code }) }
}

const isFailing = ({ mistakes = [], cases }: Judged): boolean => mistakes.length > 0 || cases.failed > 0

/** What is not given is what holds. */
export const testPolicy: Run = async ({ arguments: named, body }, tools) => {
  const document = body['document'] ?? (await documentThatHolds(named, tools.client))
  if (typeof document === 'object') return document as Outcome
  const answered = await tools.client.call('POST', fillPath(`${tenantPath}/policies/check`, named), { ...body, document })
  return told<Judged>(answered, tools, judgedLinesOf, isFailing)
}

async function documentThatHolds(named: Given['arguments'], client: AdminClient): Promise<string | Outcome> {
  const held = await client.call('GET', fillPath(`${tenantPath}/policy`, named))
  if (!held.ok) return { kind: 'refused', refused: held.error }
  const { document } = held.value as { readonly document: string | null }
  const detail = 'no policy is published: name one, with --file'
  return document ?? { kind: 'refused', refused: { status: 404, reason: '', title: 'No policy', detail, errors: [] } }
}

export const createDraft: Run = async ({ arguments: named, body }, tools) =>
  told<Draft>(await tools.client.call('POST', fillPath(`${tenantPath}/policy-drafts`, named), body), tools, draftLinesOf)

export const showDraft: Run = async ({ arguments: named }, tools) =>
  told<Draft>(await tools.client.call('GET', fillPath(draftPath, named)), tools, draftLinesOf, (draft) =>
    isFailing({ ...draft, cases: draft.caseResults }),
  )

export const changeDraft: Run = async (given, tools) =>
  ofRevision(given, tools, async (body) =>
    told<Draft>(await tools.client.call('PATCH', fillPath(draftPath, given.arguments), body), tools, draftLinesOf),
  )

export const publishDraft: Run = async (given, { client }) =>
  ofRevision(given, { client }, async (body) => {
    const answered = await client.call('POST', fillPath(`${draftPath}/publish`, given.arguments), body)
    return answered.ok ? { kind: 'done', answer: answered.value } : { kind: 'refused', refused: answered.error }
  })

/** Where none is said, the one that is there now is meant. */
async function ofRevision(
  { arguments: named, body }: Given,
  { client }: Pick<Tools, 'client'>,
  go: (body: Given['body']) => Promise<Outcome>,
): Promise<Outcome> {
  if (body['revision'] !== undefined) return go(body)
  const read = await client.call('GET', fillPath(draftPath, named))
  if (!read.ok) return { kind: 'refused', refused: read.error }
  return go({ ...body, revision: (read.value as Draft).revision })
}

export const diffVersion: Run = (given, tools) => diff(`${tenantPath}/policies/{version}/diff`, given, tools)
export const diffWall: Run = (given, tools) => diff('/vendor-policies/{version}/diff', given, tools)
export const diffDraft: Run = (given, tools) => diff(`${draftPath}/diff`, given, tools)

async function diff(path: string, { arguments: named, body }: Given, tools: Tools): Promise<Outcome> {
  const against = body['against'] as number | undefined
  const query = against === undefined ? '' : `?against=${against}`
  return told<Diff>(await tools.client.call('GET', `${fillPath(path, named)}${query}`), tools, diffLinesOf)
}

export const dryRun: Run = async ({ arguments: named, body }, tools) =>
  told<DryRun>(await tools.client.call('POST', fillPath(`${tenantPath}/policies/dry-run`, named), body), tools, dryRunLinesOf)

export const dryRunOfTest: Run = async ({ arguments: named, body }, tools) =>
  told<DryRun>(await tools.client.call('POST', fillPath(`${tenantPath}/test-logins/{id}/dry-run`, named), body), tools, dryRunLinesOf)

export const dryRunOfRecord: Run = async ({ arguments: named, body }, tools) =>
  told<DryRun>(await tools.client.call('POST', fillPath(`${tenantPath}/recorded-logins/{id}/dry-run`, named), body), tools, dryRunLinesOf)

export const replay: Run = async ({ arguments: named, body }, tools) =>
  told<Replay>(await tools.client.call('POST', fillPath(`${tenantPath}/policies/replay`, named), body), tools, replayLinesOf)

export const checkWall: Run = async ({ body }, tools) =>
  told<CheckedWall>(
    await tools.client.call('POST', '/vendor-policies/check', body),
    tools,
    wallLinesOf,
    ({ tenants: { changed, next } }) => changed.length > 0 || next !== null,
  )

const wallPath = `${tenantPath}/vendor-policies`

export const dryRunInWall: Run = async ({ arguments: named, body }, tools) =>
  told<DryRun>(await tools.client.call('POST', fillPath(`${wallPath}/dry-run`, named), body), tools, dryRunLinesOf)

export const replayInWall: Run = async ({ arguments: named, body }, tools) =>
  told<Replay>(await tools.client.call('POST', fillPath(`${wallPath}/replay`, named), body), tools, replayLinesOf)
