/** The two companies on the desk, and the people who work there. */

export type CompanyId = 'acme' | 'globex'

export type Company = { readonly id: CompanyId; readonly name: string; readonly domain: string; readonly protocol: 'saml' | 'oidc' }

export type Person = {
  /** The same in NameID, `sub` and SCIM `externalId`, so that single sign-on and provisioning meet in one subject. */
  readonly id: string
  /** What a human types: `ada`. */
  readonly name: string
  readonly givenName: string
  readonly familyName: string
  readonly email: string
  readonly title: string
  readonly hasMfa: boolean
  /** `undefined`: this IdP says nothing about the person's groups, which is not the same as none. */
  readonly groups: readonly string[] | undefined
}

export const companies: readonly Company[] = [
  { id: 'acme', name: 'Acme Corporation', domain: 'acme.example', protocol: 'saml' },
  { id: 'globex', name: 'Globex Industries', domain: 'globex.example', protocol: 'oidc' },
]

/** As many as one person of a large company really has; more than Entra ID puts into a SAML assertion (150) or an ID token (200). */
export const manyGroups = 250

/** The people of a company; each company has the same cast under its own domain. */
export function peopleOf(company: CompanyId): readonly Person[] {
  const domain = getCompany(company).domain
  const person = (name: string, rest: Omit<Person, 'id' | 'name' | 'email'>): Person => ({
    id: `${company}-${name}`,
    name,
    email: `${name}@${domain}`,
    ...rest,
  })
  return [
    person('ada', { givenName: 'Ada', familyName: 'Moreau', title: 'Engineer', hasMfa: true, groups: ['engineering', 'staff'] }),
    person('clark', { givenName: 'Clark', familyName: 'Osei', title: 'Clerk', hasMfa: false, groups: ['clerks', 'staff'] }),
    person('lena', {
      givenName: 'Lena',
      familyName: 'Brandt',
      title: 'Engineer, leaving soon',
      hasMfa: true,
      groups: ['engineering', 'staff'],
    }),
    person('max', {
      givenName: 'Max',
      familyName: 'Lindqvist',
      title: `Architect in ${manyGroups} groups`,
      hasMfa: true,
      groups: groupsOfMax(),
    }),
    person('nora', { givenName: 'Nora', familyName: 'Silva', title: 'Contractor without groups', hasMfa: true, groups: undefined }),
  ]
}

function groupsOfMax(): readonly string[] {
  const projects = Array.from({ length: manyGroups - 2 }, (_, index) => `project-${String(index + 1).padStart(3, '0')}`)
  return ['engineering', 'staff', ...projects]
}

export function getCompany(id: CompanyId): Company {
  const company = companies.find((candidate) => candidate.id === id)
  if (company === undefined) throw new Error(`no company ${id}`)
  return company
}

export function findCompany(id: string): Company | undefined {
  return companies.find((candidate) => candidate.id === id)
}

/** Finds by id, short name or e-mail address: a login hint may be any of them. */
export function findPerson(company: CompanyId, hint: string): Person | undefined {
  const wanted = hint.trim().toLowerCase()
  return peopleOf(company).find((person) => person.id === wanted || person.name === wanted || person.email === wanted)
}
