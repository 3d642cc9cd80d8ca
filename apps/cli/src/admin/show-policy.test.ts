import { describe, expect, it } from 'vitest'
import { type DryRun, dryRunLinesOf } from './show-dry-run.js'
import { type Diff, type Draft, diffLinesOf, draftLinesOf, judgedLinesOf } from './show-policy.js'

const held = { total: 3, failed: 0, failures: [] }

describe('what a check says', () => {
  it('is what the policy says in vain, and which test cases do not hold, with what came instead', () => {
    const failures = [{ name: 'staff read', message: 'wanted [read], got nothing_granted' }]
    expect(
      judgedLinesOf({
        warnings: [{ rule: 'gone', line: 4, message: 'no resource declares it' }],
        cases: { total: 3, failed: 2, failures },
      }),
    ).toEqual([
      'It compiles.',
      '! line 4, rule gone: no resource declares it',
      '2 of 3 test cases do not hold:',
      '  - staff read: wanted [read], got nothing_granted',
      '  … and 1 more',
    ])
    expect(judgedLinesOf({ warnings: [], cases: held })).toEqual(['It compiles.', 'All 3 test cases hold.'])
  })

  it('shows of a draft where it stands, and a caret below the mistake', () => {
    const draft: Draft = {
      ...{ id: 'd', base: 1, newest: 2, revision: 3, author: 'Ada', note: 'n', changedAt: 'then', keptUntil: 'later', warnings: [] },
      mistakes: [{ path: 'rules[0].when', message: 'line 3: no such claim\nclaims.emial\n       ^' }],
      caseResults: held,
    }
    expect(draftLinesOf(draft)).toEqual([
      'Draft d, revision 3, on top of version 1',
      'changed then by Ada, kept until later: n',
      '! version 2 was published since: look at it (policy diff), then policy draft change --base 2',
      'It does not compile: 1 mistake.',
      '  rules[0].when: line 3: no such claim',
      '    claims.emial',
      '           ^',
    ])
  })
})

it('a diff is unified, and says where nothing changed', () => {
  const sides = { from: { version: 1, draft: null }, to: { version: null, draft: 'd' } }
  const hunk = { before: { line: 1, lines: 1 }, after: { line: 1, lines: 2 }, lines: [' a', '+b'] }
  expect(diffLinesOf({ ...sides, changed: { document: [hunk], cases: [] } } satisfies Diff)).toEqual([
    '--- version 1, document',
    '+++ draft d, document',
    '@@ -1 +1,2 @@',
    ' a',
    '+b',
  ])
  expect(diffLinesOf({ ...sides, changed: { document: [], cases: [] } })).toEqual(['version 1 and draft d are the same.'])
})

describe('a dry run', () => {
  const tier = { seconds: 900, by: 'tier', detail: 'the limit of tier write' } as const
  const session = { seconds: 43_200, by: 'session_absolute', detail: 'a session lasts at most 43200 s' } as const
  const rule = {
    ...({ name: 'buyers', owner: 'tenant', line: 6, outcome: 'yes', because: 'applies' } as const),
    values: [{ variable: 'claims.department', value: 'buying\u001b[2J' }],
  }
  const found: DryRun = {
    policy: { version: 3, draft: null, wallVersion: 0 },
    ...{ outcome: 'allow', granted: ['write'], missing: null, demand: null, reason: null, tier: 'write', asksConsentAnew: false },
    ...{ endsAt: '2026-01-01T12:00:00Z', at: '2026-01-01T00:00:00Z', strength: { vendor: 'multi_factor', tenant: 'multi_factor' } },
    scopes: [
      {
        ...({ scope: 'write', tier: 'write', granted: true, because: 'granted by rule buyers (line 6)', rule: 'buyers', line: 6 } as const),
        rules: [{ ...rule, effect: 'grant' }],
        rulesLeftOut: 0,
      },
    ],
    clientRules: [{ ...rule, name: 'others', outcome: 'no' }],
    demands: [{ ...rule, name: 'strong', values: [], strength: 'multi_factor', missing: null }],
    ceilings: { access: { won: tier, all: [tier, session] }, refresh: null },
    valuesLeftOut: 0,
    unclear: 0,
    notes: [],
  }

  it('is a line per scope, the rules with what they read, what was proved, and which limit won; nothing moves the cursor', () => {
    expect(dryRunLinesOf(found)).toEqual([
      'By version 3, at 2026-01-01T00:00:00Z: granted write',
      '+ write (write): granted by rule buyers (line 6)',
      '    grant buyers (line 6): applies; claims.department = buying\uFFFD[2J',
      'Must be proved:',
      '  strong (line 6): applies; multi factor: proved',
      'Lifetimes:',
      '  access token 900 s: the limit of tier write',
      '    not 43200 s: a session lasts at most 43200 s',
      '  no refresh token',
    ])
  })

  it('says how many values it does not show', () => {
    expect(dryRunLinesOf({ ...found, valuesLeftOut: 7 })).toContain('… and 7 more values that conditions read')
  })

  it('says what was missing', () => {
    const denied = { ...found, outcome: 'deny', reason: 'mfa_missing', missing: 'a second factor', granted: [] } as const
    expect(dryRunLinesOf({ ...denied, granted: [] })[0]).toBe(
      'By version 3, at 2026-01-01T00:00:00Z: denied (mfa_missing): a second factor',
    )
  })
})
