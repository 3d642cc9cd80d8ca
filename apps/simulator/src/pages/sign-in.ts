/** The sign-in page, the page that carries the SAML response home, and the page for what went wrong. */
import { createHash } from 'node:crypto'
import type { Company, Person } from '../companies.js'
import type { CardView } from '../faults.js'
import { crumbs, type Html, html, page } from './html.js'

export type SignInView = {
  readonly company: Company
  readonly people: readonly Person[]
  readonly action: string
  readonly asksForMfa: boolean
  readonly askedBy: string
  readonly armed: readonly CardView[]
  readonly loginHint: string | undefined
}

export function signInPage(view: SignInView): string {
  return page(
    `Sign in at ${view.company.name}`,
    html`<h1>Sign in at ${view.company.name}</h1><p class="soft"><code>${view.askedBy}</code> asks who you are${view.asksForMfa && ', with a second factor'}.</p>
${view.armed.length > 0 && html`<p class="told" role="status">Armed for this login: ${view.armed.map((card) => card.title).join(', ')}.</p>`}
<ul class="cards">${inOrder(view).map((person) => choice(view, person))}</ul>`,
  )
}

/** Whoever was hinted at stands first. */
function inOrder(view: SignInView): readonly Person[] {
  const isHinted = (person: Person) => [person.id, person.name, person.email].includes(view.loginHint ?? '')
  return [...view.people.filter(isHinted), ...view.people.filter((person) => !isHinted(person))]
}

function choice(view: SignInView, person: Person): Html {
  return html`<li class="card"><h3>${person.givenName} ${person.familyName}</h3><p class="soft small">${person.title}<br>${person.email}</p>
<form method="post" action="${view.action}" id="sign-in-${person.name}"><input type="hidden" name="person" value="${person.id}"><span class="row">
${person.hasMfa && html`<button name="mfa" value="yes" aria-label="${person.givenName}, with MFA">With MFA</button>`}
<button class="quiet" name="mfa" value="no" aria-label="${person.givenName}, with a password only">Password only</button></span></form></li>`
}

/** The one script of the simulator: the POST binding has no other way to move without a click. Without scripts the button does it. */
const submitScript = 'document.forms[0].submit()'
export const submitScriptHash = `'sha256-${createHash('sha256').update(submitScript).digest('base64')}'`

/** @spec SAML Bindings §3.5.4 */
export function postResponsePage(acsUrl: string, samlResponse: string, relayState: string | undefined): string {
  return page(
    'Back to the service',
    html`<h1>Back to the service</h1><form method="post" action="${acsUrl}"><input type="hidden" name="SAMLResponse" value="${samlResponse}">
${relayState !== undefined && html`<input type="hidden" name="RelayState" value="${relayState}">`}<button>Continue</button></form>
<script>${{ markup: submitScript }}</script>`,
  )
}

export function refusalPage(title: string, cause: string, company?: Company): string {
  return page(title, html`${crumbs(company)}<h1>${title}</h1><p>${cause}</p>`)
}
