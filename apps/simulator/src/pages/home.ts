/** The page with all companies, and the page of one: its people, its fault cards, its addresses. */
import type { Company, Person } from '../companies.js'
import type { CardView } from '../faults.js'
import { scimDialects } from '../scim-client.js'
import { crumbs, type Html, html, page } from './html.js'

export function homePage(companies: readonly { readonly company: Company; readonly people: readonly Person[] }[]): string {
  const cards = companies.map(
    ({ company, people }) => html`<li class="card"><h3><a href="/${company.id}">${company.name}</a></h3>
<p class="soft">${company.domain} · ${protocolName(company)}</p><p>${people.length} people</p></li>`,
  )
  return page(
    'Companies',
    html`<h1>Companies on your desk</h1><p class="soft">Each has a directory, an identity provider and a SCIM client, as a customer would.</p><ul class="cards">${cards}</ul>`,
  )
}

export type CompanyView = {
  readonly company: Company
  readonly people: readonly Person[]
  readonly cards: readonly CardView[]
  readonly addresses: readonly (readonly [name: string, url: string])[]
  /** Sessions at its IdP that somebody could end. */
  readonly signedIn: readonly { readonly person: Person; readonly session: string }[]
  readonly hasScim: boolean
  /** The service hears of logouts. */
  readonly hasLogout: boolean
  /** Security events that may be sent about a person; none: nobody has a stream here. */
  readonly signals: readonly string[]
  /** What the last click did. */
  readonly told: string | undefined
}

export function companyPage(view: CompanyView): string {
  const { company } = view
  return page(
    company.name,
    html`${crumbs()}<h1>${company.name}</h1><p class="soft">${company.domain} · ${protocolName(company)}</p>
${view.told !== undefined && html`<p class="told" role="status">${view.told}</p>`}
<h2 id="people">People</h2>${scimNote(view)}<ul class="cards">${view.people.map((person) => personCard(view, person))}</ul>
${portal(view)}
${view.signedIn.length > 0 && signedInPart(view)}
<h2 id="faults">Fault cards</h2><p class="soft">One click arms a fault for the next login of ${company.name}; then it is spent.</p>
<ul class="cards">${view.cards.map((card) => faultCard(company, card))}</ul>
<h2>Addresses</h2><dl>${view.addresses.map(([name, url]) => html`<dt>${name}</dt><dd><code>${url}</code></dd>`)}</dl>`,
  )
}

/** What a service gets that has not asked, or is asked to ask. */
function portal({ company, people }: CompanyView): Html {
  const options = people.map((person) => html`<option value="${person.id}">${person.givenName}</option>`)
  const name = company.protocol === 'saml' ? 'RelayState' : 'target_link_uri'
  return html`<h2 id="portal">Company portal</h2><form class="row" method="post" action="/${company.id}/tile"><label class="small soft">as <select name="person">${options}</select></label>
<label class="small soft">${name} <input name="relayState" value="documents"></label><button>Open Documents from the company portal</button></form>`
}

function scimNote(view: CompanyView): Html {
  if (!view.hasScim) return html`<p class="soft">No SCIM service is configured, so nobody can be provisioned or deactivated from here.</p>`
  return html`<form class="row" method="post" action="/${view.company.id}/scim/provision"><button>Provision everyone</button><span class="soft small">by SCIM</span></form>`
}

function personCard(view: CompanyView, person: Person): Html {
  const groups =
    person.groups === undefined
      ? 'groups not stated'
      : person.groups.length > 5
        ? `${person.groups.length} groups`
        : person.groups.join(', ')
  return html`<li class="card"><h3>${person.givenName} ${person.familyName}</h3><p class="soft small">${person.title}<br><code>${person.email}</code></p>
<p><span class="tag">${person.hasMfa ? 'has MFA' : 'no MFA'}</span> <span class="tag">${groups}</span></p>${view.hasScim && scimButtons(view.company, person)}${view.hasLogout && logoutButton(view.company, person)}${view.signals.length > 0 && signalButton(view, person)}</li>`
}

function logoutButton(company: Company, person: Person): Html {
  return html`<form class="row" method="post" action="/${company.id}/logout"><button class="quiet" name="person" value="${person.id}" aria-label="Log ${person.givenName} out">Log out everywhere</button></form>`
}

function signalButton({ company, signals }: CompanyView, person: Person): Html {
  const options = signals.map((event) => html`<option value="${event}">${event}</option>`)
  return html`<form class="row" method="post" action="/${company.id}/signal"><input type="hidden" name="person" value="${person.id}">
<label class="small soft">event <select name="event" aria-label="Security event about ${person.givenName}">${options}</select></label>
<button class="quiet" aria-label="Send a security event about ${person.givenName}">Send</button></form>`
}

function scimButtons(company: Company, person: Person): Html {
  const options = scimDialects.map((dialect) => html`<option value="${dialect}">${dialect}</option>`)
  return html`<form class="row" method="post" action="/${company.id}/scim/active"><input type="hidden" name="person" value="${person.id}">
<label class="small soft">as <select name="dialect" aria-label="SCIM dialect for ${person.givenName}">${options}</select></label>
<button name="active" value="false" aria-label="Deactivate ${person.givenName}">Deactivate</button>
<button class="quiet" name="active" value="true" aria-label="Reactivate ${person.givenName}">Reactivate</button></form>`
}

/** Single logout begins here. */
function signedInPart({ company, signedIn }: CompanyView): Html {
  const rows = signedIn.map(
    ({
      person,
      session,
    }) => html`<li class="card"><h3>${person.givenName} ${person.familyName}</h3><p class="soft small"><code>${session.slice(0, 9)}…</code></p>
<form method="post" action="/${company.id}/sign-out"><input type="hidden" name="session" value="${session}">
<button aria-label="Sign ${person.givenName} out everywhere">Sign out everywhere</button></form></li>`,
  )
  return html`<h2 id="signed-in">Signed in</h2><p class="soft">Signing out here ends the session at the service, too.</p><ul class="cards">${rows}</ul>`
}

function faultCard(company: Company, card: CardView): Html {
  return html`<li class="card${card.isArmed && ' armed'}"><h3>${card.title}</h3><p class="soft small">${card.effect}</p>
<form method="post" action="/${company.id}/faults/${card.id}"><input type="hidden" name="armed" value="${card.isArmed ? 'false' : 'true'}">
<button${card.isArmed ? undefined : html` class="quiet"`} aria-label="${card.isArmed ? 'Take back' : 'Arm'}: ${card.title}">${card.isArmed ? 'Armed · take back' : 'Arm'}</button></form></li>`
}

function protocolName(company: Company): string {
  return company.protocol === 'saml' ? 'SAML 2.0' : 'OpenID Connect'
}
