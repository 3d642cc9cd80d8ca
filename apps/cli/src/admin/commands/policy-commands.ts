/** What the policies say: versions, drafts, test cases, dry runs, and the wall of the vendor. */
import { liveGrantsChoices } from '@drawbridge/core/revocation/settled-grants'
import type { AdminCommand, Flag, Shows } from '../command.js'

const policyFile: Flag = { kind: 'file', says: 'the policy; - reads standard input', member: 'document', required: true }
const optionalFile: Flag = { kind: 'file', says: 'the policy; - reads standard input', member: 'document' }
const casesFile: Flag = { kind: 'file', says: 'its test cases; left out: those of the newest version', member: 'cases' }
const note: Flag = { kind: 'text', says: 'what changed' }
const liveGrants: Readonly<Record<string, Flag>> = {
  'live-grants': {
    kind: 'text',
    says: 'when it takes effect on what is open; now: older tokens of whoever loses something die within seconds. Default: at_next_refresh',
    choices: liveGrantsChoices,
  },
}
const against: Flag = { kind: 'number', says: 'the version to compare with; 0: nothing at all' }
const revision: Flag = { kind: 'number', says: 'the one that was looked at; left out: the one that is there now' }
const policyRows: Shows = {
  rows: 'policies',
  newestFirst: true,
  columns: [
    ['version', 'version'],
    ['published', 'publishedAt'],
    ['by', 'author'],
    ['note', 'note'],
  ],
}
const nothing: Shows = { nothing: true }

const versions: readonly AdminCommand[] = [
  {
    name: 'policy show',
    does: 'Print the policy that holds; nothing where none is published and the safe default holds',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/policy' },
    shows: { text: 'document' },
    example: 'drawbridge policy show initech > policy.yaml',
  },
  {
    name: 'policy cases',
    does: 'Print the test cases of the policy that holds',
    takes: ['tenant'],
    call: { method: 'GET', path: '/tenants/{tenant}/policy' },
    shows: { text: 'cases' },
    example: 'drawbridge policy cases initech > cases.yaml',
  },
  {
    name: 'policy list',
    does: 'List the versions of the policy',
    takes: ['tenant'],
    flags: { all: { kind: 'switch', says: 'all of them, not the newest 200' } },
    call: { method: 'GET', path: '/tenants/{tenant}/policies' },
    shows: policyRows,
    example: 'drawbridge policy list initech',
  },
  {
    name: 'policy read',
    does: 'Print one version of the policy',
    takes: ['tenant', 'version'],
    call: { method: 'GET', path: '/tenants/{tenant}/policies/{version}' },
    shows: { text: 'document' },
    example: 'drawbridge policy read initech 3',
  },
  {
    name: 'policy diff',
    does: 'Show what a version of the policy changed, in the document and in the test cases',
    takes: ['tenant', 'version'],
    flags: { against: { ...against, says: `${against.says}; left out: the one before it` } },
    load: async () => (await import('../policy-runs.js')).diffVersion,
    calls: ['GET /tenants/{tenant}/policies/{version}/diff'],
    shows: nothing,
    example: 'drawbridge policy diff initech 4 --against 2',
  },
  {
    name: 'policy check',
    does: 'Compile a policy, run its test cases, and show every mistake and what it says in vain; nothing is published',
    takes: ['tenant'],
    flags: { file: policyFile, cases: casesFile },
    load: async () => (await import('../policy-runs.js')).testPolicy,
    calls: ['POST /tenants/{tenant}/policies/check'],
    shows: nothing,
    example: 'drawbridge policy check initech --file policy.yaml --cases cases.yaml',
  },
  {
    name: 'policy test',
    does: 'Run test cases: those that are given, against the policy that is given, or what holds in place of either',
    takes: ['tenant'],
    flags: { file: optionalFile, cases: casesFile },
    load: async () => (await import('../policy-runs.js')).testPolicy,
    calls: ['POST /tenants/{tenant}/policies/check'],
    shows: nothing,
    example: 'drawbridge policy test initech --cases cases.yaml',
  },
  {
    name: 'policy publish',
    does: 'Publish the next version of the policy; its test cases must hold',
    takes: ['tenant'],
    flags: { file: policyFile, cases: casesFile, note, ...liveGrants },
    call: { method: 'POST', path: '/tenants/{tenant}/policies' },
    example: 'drawbridge policy publish initech --file policy.yaml --cases cases.yaml --note "contractors read only"',
  },
  {
    name: 'policy rollback',
    does: 'Publish an old version again, as the next one, with its test cases; it must be within the wall of the vendor as it is now',
    takes: ['tenant', 'version'],
    flags: {
      note: { ...note, says: 'why' },
      cases: { ...casesFile, says: 'in place of the test cases of the old version' },
      ...liveGrants,
    },
    call: { method: 'POST', path: '/tenants/{tenant}/policies/{version}/republish', body: {} },
    example: 'drawbridge policy rollback initech 3 --note "contractors could write" --live-grants now',
  },
  {
    name: 'policy sweep',
    does: 'Show how far the live grants have been decided again under a version that was published for now',
    takes: ['tenant', 'version'],
    call: { method: 'GET', path: '/tenants/{tenant}/policies/{version}/sweep' },
    shows: { record: true },
    example: 'drawbridge policy sweep initech 4',
  },
]

export const askedPolicy: Readonly<Record<string, Flag>> = {
  file: { kind: 'file', says: 'a policy that is not published; - reads standard input', member: 'policy.document' },
  'policy-version': { kind: 'number', says: 'a published version; 0: the safe default', member: 'policy.version' },
  draft: { kind: 'text', says: 'a draft', member: 'policy.draft' },
}
const dryRuns: readonly AdminCommand[] = [
  {
    name: 'policy dry-run',
    does: 'Ask a policy about somebody who is described: per scope granted or not, by which rule, with which values; nothing is written',
    takes: ['tenant'],
    flags: {
      situation: {
        kind: 'document',
        says: 'who asks, as YAML or JSON, in the words of a test case: groups, claims, amr, client, request and so on; - reads standard input',
        required: true,
      },
      ...askedPolicy,
    },
    load: async () => (await import('../policy-runs.js')).dryRun,
    calls: ['POST /tenants/{tenant}/policies/dry-run'],
    shows: nothing,
    example: 'drawbridge policy dry-run initech --situation ada.yaml --file policy.yaml',
  },
  {
    name: 'policy dry-run-test',
    does: 'Ask a policy about the login that a test found, with the key that asked for the test; nothing is written',
    takes: ['tenant', 'id'],
    flags: {
      ...askedPolicy,
      client: { kind: 'text', says: 'a client_id, in place of the one of the test', member: 'clientId' },
      resource: { kind: 'text', says: 'the identifier of a resource, in place of the one of the test' },
      scope: { kind: 'list', says: 'a scope that is asked for; several', member: 'scopes' },
      address: { kind: 'text', says: 'whence she asks' },
      country: { kind: 'text', says: 'whence she asks, two letters' },
    },
    load: async () => (await import('../policy-runs.js')).dryRunOfTest,
    calls: ['POST /tenants/{tenant}/test-logins/{id}/dry-run'],
    shows: nothing,
    example: 'drawbridge policy dry-run-test initech 0f0e7d0a-0000-4000-8000-000000000000 --file policy.yaml',
  },
]

const drafts = '/tenants/{tenant}/policy-drafts'
const draft = `${drafts}/{id}`
const someDraft = '0f0e7d0a-0000-4000-8000-000000000000'
const draftCommands: readonly AdminCommand[] = [
  {
    name: 'policy draft list',
    does: 'List drafts of the policy',
    takes: ['tenant'],
    flags: { all: { kind: 'switch', says: 'all of them, not the newest 200' } },
    call: { method: 'GET', path: drafts },
    shows: {
      rows: 'policyDrafts',
      newestFirst: true,
      columns: [
        ['id', 'id'],
        ['base', 'base'],
        ['revision', 'revision'],
        ['changed', 'changedAt'],
        ['by', 'author'],
        ['note', 'note'],
      ],
    },
    example: 'drawbridge policy draft list initech',
  },
  {
    name: 'policy draft create',
    does: 'Begin a draft on top of the version that holds; it may have mistakes, and decides nothing',
    takes: ['tenant'],
    flags: { file: { ...optionalFile, says: 'the policy; left out: the one that holds' }, cases: casesFile, note },
    load: async () => (await import('../policy-runs.js')).createDraft,
    calls: [`POST ${drafts}`],
    shows: nothing,
    example: 'drawbridge policy draft create initech --file policy.yaml --note "contractors read only"',
  },
  {
    name: 'policy draft show',
    does: 'Show a draft: its mistakes, what it says in vain, and which of its test cases hold',
    takes: ['tenant', 'id'],
    load: async () => (await import('../policy-runs.js')).showDraft,
    calls: [`GET ${draft}`],
    shows: nothing,
    example: `drawbridge policy draft show initech ${someDraft}`,
  },
  {
    name: 'policy draft read',
    does: 'Print the policy of a draft',
    takes: ['tenant', 'id'],
    call: { method: 'GET', path: draft },
    shows: { text: 'document' },
    example: `drawbridge policy draft read initech ${someDraft} > policy.yaml`,
  },
  {
    name: 'policy draft cases',
    does: 'Print the test cases of a draft',
    takes: ['tenant', 'id'],
    call: { method: 'GET', path: draft },
    shows: { text: 'cases' },
    example: `drawbridge policy draft cases initech ${someDraft} > cases.yaml`,
  },
  {
    name: 'policy draft change',
    does: 'Change a draft, or base it on the version that was published since; what is not said stays',
    takes: ['tenant', 'id'],
    flags: {
      file: optionalFile,
      cases: { ...casesFile, says: 'its test cases' },
      note,
      base: { kind: 'number', says: 'the newest version, when what it changed was looked at' },
      revision,
    },
    load: async () => (await import('../policy-runs.js')).changeDraft,
    calls: [`GET ${draft}`, `PATCH ${draft}`],
    shows: nothing,
    example: `drawbridge policy draft change initech ${someDraft} --file policy.yaml`,
  },
  {
    name: 'policy draft diff',
    does: 'Show what a draft would change, in the document and in the test cases',
    takes: ['tenant', 'id'],
    flags: { against: { ...against, says: `${against.says}; left out: the one that holds` } },
    load: async () => (await import('../policy-runs.js')).diffDraft,
    calls: [`GET ${draft}/diff`],
    shows: nothing,
    example: `drawbridge policy draft diff initech ${someDraft}`,
  },
  {
    name: 'policy draft publish',
    does: 'Publish a draft as the next version; its test cases must hold, and nobody may have published since it was made',
    takes: ['tenant', 'id'],
    flags: { note, revision, ...liveGrants },
    load: async () => (await import('../policy-runs.js')).publishDraft,
    calls: [`GET ${draft}`, `POST ${draft}/publish`],
    example: `drawbridge policy draft publish initech ${someDraft} --revision 4`,
  },
  {
    name: 'policy draft remove',
    does: 'Throw a draft away',
    takes: ['tenant', 'id'],
    call: { method: 'DELETE', path: draft },
    confirms: 'Throw the draft {id} away?',
    done: 'Thrown away.',
    example: `drawbridge policy draft remove initech ${someDraft}`,
  },
]

const base: Flag = {
  kind: 'number',
  says: 'the version that was looked at, which must be the newest still; 0: there is none',
  required: true,
}
const askedWall: Readonly<Record<string, Flag>> = {
  wall: { kind: 'file', says: 'the policy of the vendor that is tried; - reads standard input', member: 'wall.document' },
  'wall-version': { kind: 'number', says: 'a published version of it; 0: the table of tiers alone', member: 'wall.version' },
}
const wall: readonly AdminCommand[] = [
  {
    name: 'vendor-policy show',
    does: 'Print the policy of the vendor, the wall around every tenant; nothing where the table of tiers alone holds',
    takes: [],
    call: { method: 'GET', path: '/vendor-policy' },
    shows: { text: 'document' },
    example: 'drawbridge vendor-policy show > vendor-policy.yaml',
  },
  {
    name: 'vendor-policy list',
    does: 'List the versions of the policy of the vendor',
    takes: [],
    call: { method: 'GET', path: '/vendor-policies' },
    shows: policyRows,
    example: 'drawbridge vendor-policy list',
  },
  {
    name: 'vendor-policy read',
    does: 'Print one version of the policy of the vendor',
    takes: ['version'],
    call: { method: 'GET', path: '/vendor-policies/{version}' },
    shows: { text: 'document' },
    example: 'drawbridge vendor-policy read 3',
  },
  {
    name: 'vendor-policy diff',
    does: 'Show what a version of the policy of the vendor changed',
    takes: ['version'],
    flags: { against: { ...against, says: `${against.says}; left out: the one before it` } },
    load: async () => (await import('../policy-runs.js')).diffWall,
    calls: ['GET /vendor-policies/{version}/diff'],
    shows: nothing,
    example: 'drawbridge vendor-policy diff 4 --against 2',
  },
  {
    name: 'vendor-policy check',
    does: 'Compile a policy of the vendor, and show every mistake, what it says in vain, and which tenants would notice; nothing is published',
    takes: [],
    flags: { file: policyFile, after: { kind: 'text', says: 'the tenant after which to go on, where there are too many for one answer' } },
    load: async () => (await import('../policy-runs.js')).checkWall,
    calls: ['POST /vendor-policies/check'],
    shows: nothing,
    example: 'drawbridge vendor-policy check --file vendor-policy.yaml',
  },
  {
    name: 'vendor-policy dry-run',
    does: 'Ask the policy of a tenant, inside another policy of the vendor, about somebody who is described; nothing is written',
    takes: ['tenant'],
    flags: {
      ...askedWall,
      situation: { kind: 'document', says: 'who asks, as for policy dry-run; - reads standard input', required: true },
      ...askedPolicy,
    },
    load: async () => (await import('../policy-runs.js')).dryRunInWall,
    calls: ['POST /tenants/{tenant}/vendor-policies/dry-run'],
    shows: nothing,
    example: 'drawbridge vendor-policy dry-run initech --wall vendor-policy.yaml --situation ada.yaml',
  },
  {
    name: 'vendor-policy replay',
    does: 'Show who of those who signed in lately at a tenant would gain, lose or be asked for more inside another policy of the vendor; nothing is changed',
    takes: ['tenant'],
    flags: { ...askedWall, ...askedPolicy, logins: { kind: 'number', says: 'how many, the newest first; left out: all that are kept' } },
    load: async () => (await import('../policy-runs.js')).replayInWall,
    calls: ['POST /tenants/{tenant}/vendor-policies/replay'],
    shows: nothing,
    example: 'drawbridge vendor-policy replay initech --wall vendor-policy.yaml',
  },
  {
    name: 'vendor-policy publish',
    does: 'Publish the next version of the policy of the vendor; it holds for every tenant at once',
    takes: [],
    flags: { file: policyFile, base, note, ...liveGrants },
    call: { method: 'POST', path: '/vendor-policies' },
    example: 'drawbridge vendor-policy publish --file vendor-policy.yaml --base 3 --note "nobody administers on Sundays"',
  },
  {
    name: 'vendor-policy rollback',
    does: 'Publish an old version of the policy of the vendor again, as the next one',
    takes: ['version'],
    flags: { base, note: { ...note, says: 'why' }, ...liveGrants },
    call: { method: 'POST', path: '/vendor-policies/{version}/republish' },
    example: 'drawbridge vendor-policy rollback 3 --base 4 --note "agents could not read"',
  },
]

export const policyCommands: readonly AdminCommand[] = [...versions, ...dryRuns, ...draftCommands, ...wall]
