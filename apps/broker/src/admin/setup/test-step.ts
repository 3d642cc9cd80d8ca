/** The step in which a company's IT tries its own sign-in, once there is a connection: for whom, and what earlier tests came to. */
import { testOutcomes, testOutcomeWords } from '@drawbridge/core/identity/test-login'
import { hostOfClient } from '@drawbridge/core/oauth/client'
import { type StoredTestLogin, testLoginLimits } from '@drawbridge/store/test-logins'
import { type Html, html } from '../../http/html.js'
import type { SetupSession } from './setup-session.js'

export function testStep(session: SetupSession, trouble: string | undefined): Html | undefined {
  const { tenant, testing } = session
  if (testing === undefined) return undefined
  const told = trouble !== undefined && html`<div role="alert"><p>${trouble}</p></div>`
  const done = testing.tests.length > 0 && html`<h3>Your tests</h3><ul>${testing.tests.map((test) => line(session, test))}</ul>`
  // A window of its own: whatever page the test ends on, this one is still there to read the result.
  const look = html`<form method="get" action="${tenant.issuer.url}/setup"><button class="quiet">Look whether a test is done</button></form>`
  return html`<h2>Test it</h2><p>Sign in once as your people will, in a window of its own. Nothing is opened by it. What was found is read here for an hour, in this browser alone.</p>${told}${testing.tests.length < testLoginLimits.mostOfSetupLink && askForm(session)}${done}${look}`
}

function askForm({ tenant, testing, proof }: SetupSession): Html {
  const applications = testing?.clients ?? []
  const clients = applications.map((client) => html`<option value="${client.id}">${client.name} (${hostOfClient(client)})</option>`)
  const resources = tenant.resources.map(({ identifier, name }) => html`<option value="${identifier}">${name} (${identifier})</option>`)
  const forWhom =
    clients.length > 0 &&
    resources.length > 0 &&
    html`<label for="clientId">For which application</label><select id="clientId" name="clientId"><option value="">None: only whether you come in</option>${clients}</select><label for="resource">and for what</label><select id="resource" name="resource">${resources}</select>`
  return html`<form method="post" action="${tenant.issuer.url}/setup/test-logins" target="_blank" rel="noopener"><input type="hidden" name="proof" value="${proof}">${forWhom}<label for="loginHint">Your address, if your identity provider shall be told</label><input id="loginHint" name="loginHint" type="email" maxlength="320" autocomplete="off"><label><input type="checkbox" name="secondFactor" value="yes"> Demand a second factor</label><button>Test the sign-in</button></form>`
}

function line({ tenant }: SetupSession, test: StoredTestLogin): Html {
  const outcome = testOutcomes.find((each) => each === test.outcome)
  const said = outcome === undefined ? (test.redeemedAt === undefined ? 'Not begun yet.' : 'On its way.') : testOutcomeWords[outcome]
  const at = new Date(test.createdAt).toISOString().slice(11, 16)
  return html`<li><a href="${tenant.issuer.url}/setup/test-logins/${test.id}">Of ${at} UTC</a>: ${said}</li>`
}
