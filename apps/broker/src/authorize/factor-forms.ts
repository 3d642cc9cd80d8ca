/** The forms by which a factor of ours is shown or added, wherever that is. They work by keyboard and on a phone; only a passkey needs a script. */
import { type FactorRefusal, factorErrors } from '@drawbridge/core/factor/error'
import type { Secret } from '@drawbridge/core/secret'
import { type Html, html } from '../http/html.js'
import { qrCode } from '../http/qr-code.js'

/** Where the forms of a page go, and what each of them carries beside what it does. */
export type FormPlace<Act extends string> = { readonly action: string; readonly fields: (act: Act) => Html }

const hidden = <Act extends string>({ fields }: FormPlace<Act>, act: Act): Html =>
  html`${fields(act)}<input type="hidden" name="act" value="${act}">`

export const actForm = <Act extends string>(place: FormPlace<Act>, act: Act, body: Html): Html =>
  html`<form method="post" action="${place.action}">${hidden(place, act)}${body}</form>`

export type PasskeyForm<Act extends string> = {
  readonly act: Act
  readonly asks: 'get' | 'create'
  /** What the browser is asked. */
  readonly options: object
  readonly label: string
  readonly more?: Html | undefined
}

/** Its button is hidden until the script is there. */
export const passkeyForm = <Act extends string>(place: FormPlace<Act>, { act, asks, options, label, more }: PasskeyForm<Act>): Html =>
  html`<form method="post" action="${place.action}" data-passkey="${asks}" data-options="${JSON.stringify(options)}">${hidden(place, act)}<input type="hidden" name="answer" value="">${more}<button hidden>${label}</button><p role="alert"></p><noscript><p class="soft">A passkey needs JavaScript, which is switched off here.</p></noscript></form>`

export const codeField = (label: string): Html =>
  html`<label for="code">${label}</label><input type="text" id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="10">`

export const trouble = (refusal: FactorRefusal | undefined): Html | false =>
  refusal !== undefined && html`<p class="notice" role="alert">${sentence(factorErrors[refusal].say)}.</p>`
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

export type ChallengeOffer = {
  /** Absent: she has no passkey that helps. */
  readonly passkeyOptions: object | undefined
  readonly asksForCode: boolean
}

export const challengeForms = (
  place: FormPlace<'passkey' | 'totp'>,
  { passkeyOptions, asksForCode }: ChallengeOffer,
  more?: Html,
): Html => {
  const asked = { act: 'passkey', asks: 'get', label: 'Use a passkey', more } as const
  return html`${passkeyOptions && passkeyForm(place, { ...asked, options: passkeyOptions })}${asksForCode && actForm(place, 'totp', html`${codeField('The code that your authenticator app shows')}${more}<button>Continue with the code</button>`)}`
}

export type EnrolmentOffer = {
  readonly passkeyOptions: object | undefined
  /** Absent: an app would not help. Shown this once, on this page. */
  readonly totp: { readonly secret: Secret; readonly uri: Secret; readonly sealed: string } | undefined
}

export function enrolmentForms(place: FormPlace<'enrol_passkey' | 'enrol_totp'>, { passkeyOptions, totp }: EnrolmentOffer): Html {
  const asked = { act: 'enrol_passkey', asks: 'create', label: 'Add a passkey' } as const
  const passkey =
    passkeyOptions &&
    html`<h2>A passkey</h2><p>Your phone, your computer or a security key. It cannot be phished.</p>${passkeyForm(place, { ...asked, options: passkeyOptions })}`
  return html`${passkey}${totp && appSteps(place, totp)}`
}

const appSteps = (place: FormPlace<'enrol_totp'>, { secret, uri, sealed }: NonNullable<EnrolmentOffer['totp']>): Html =>
  html`<h2>An authenticator app</h2><p>Scan this with your app. It is shown only now.</p>${qrCode(uri.reveal(), 'QR code of the key that stands below as text')}<p>Or enter the key, as one of codes that change by time:</p><p><code>${fours(secret.reveal())}</code></p><p><a href="${uri.reveal()}">Open it in the app on this device</a></p>${actForm(
    place,
    'enrol_totp',
    html`<input type="hidden" name="key" value="${sealed}">${codeField('The code that the app shows for it')}<button>Add the app</button>`,
  )}`

const fours = (text: string): string => text.replaceAll(/(.{4})(?=.)/g, '$1 ')
