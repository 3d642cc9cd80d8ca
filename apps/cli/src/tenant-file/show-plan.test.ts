import { expect, it } from 'vitest'
import type { Plan } from './plan-change.js'
import { planAsJson, showPlan } from './show-plan.js'

const plan: Plan = {
  slug: 'initech',
  knownAs: 'Initech',
  changes: [
    {
      does: 'change',
      what: 'policy',
      differences: [{ path: '', from: 'version: 1\nrules: []\nmfa: []\n', to: 'version: 1\nrules:\n  - x\nmfa: []\n' }],
      steps: [],
    },
    { does: 'create', what: 'connection "Okta"', differences: [{ path: 'kind', from: undefined, to: 'saml' }], steps: [] },
    { does: 'take away', what: 'domain a.example', differences: [{ path: 'name', from: 'a', to: 'b' }], steps: [] },
  ],
  leftAlone: ['client x is not in the file'],
  warnings: ['tenant initech is suspended'],
  impossible: [],
}

it('shows what would change, what is left alone and what stays as somebody left it', () => {
  expect(showPlan(plan)).toBe(
    [
      'Tenant initech, Initech: 3 changes',
      '  ~ policy',
      '        … 1 lines the same',
      '      - rules: []',
      '      + rules:',
      '      +   - x',
      '        … 1 lines the same',
      '  + connection "Okta"',
      '      + kind: saml',
      '  - domain a.example',
      '      name: a → b',
      '  . client x is not in the file: left alone; --prune takes it away',
      '  ! tenant initech is suspended',
    ].join('\n'),
  )
  expect(showPlan({ ...plan, changes: [], leftAlone: [], warnings: [] })).toBe('Tenant initech, Initech: nothing to change')
  expect(showPlan({ ...plan, knownAs: undefined }).split('\n')[0]).toBe('Tenant initech, which is not there yet: 3 changes')
})

it('lets no name forge a line', () => {
  const forged = showPlan({ ...plan, changes: [{ does: 'change', what: 'connection "a\n  - tenant"', differences: [], steps: [] }] })
  expect(showPlan({ ...plan, knownAs: 'a\nTenant b' }).split('\n')[0]).toBe('Tenant initech, a\uFFFDTenant b: 3 changes')
  expect(forged.split('\n')[1]).toBe('  ~ connection "a\uFFFD  - tenant"')
})

it('is JSON without holes for machines', () => {
  expect(planAsJson(plan).changes[1]?.differences).toEqual([{ path: 'kind', from: null, to: 'saml' }])
})
