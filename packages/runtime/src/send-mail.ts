/** The only way that mail leaves: plain text to one address, over one mail server, with every wait bounded. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { createTransport } from 'nodemailer'
import { isLoopbackHost } from './env.js'

export type Mail = {
  readonly to: { readonly name: string; readonly address: string }
  readonly subject: string
  readonly text: string
  /** The same for each try of one mail, so that whoever gets it twice is shown it once. RFC 5322 §3.6.4 */
  readonly messageId: string
}
/**
 * `refused`: this mail will never be taken (RFC 5321 §4.2.1, 5yz). `unavailable`: the server cannot be used now, whatever the mail.
 * `delayed`: it will not take this mail now (4yz). `say` is words of ours and a number of theirs, never their text.
 */
export type MailTrouble = { readonly kind: 'refused' | 'delayed' | 'unavailable'; readonly say: string }
export type SendMail = (mail: Mail) => Promise<Result<undefined, MailTrouble>>

const connectionTimeoutMs = 10_000
const silenceTimeoutMs = 20_000

/** `smtp:` speaks TLS by STARTTLS and refuses to go on without, unless the server is on loopback. */
export function createSendMail(smtpUrl: string, from: string): SendMail {
  const url = new URL(smtpUrl)
  const isSecure = url.protocol === 'smtps:'
  const user = decodeURIComponent(url.username)
  const transport = createTransport({
    host: url.hostname,
    port: url.port === '' ? (isSecure ? 465 : 587) : Number(url.port),
    secure: isSecure,
    requireTLS: !isSecure && !isLoopbackHost(url.hostname),
    ...(user !== '' && { auth: { user, pass: decodeURIComponent(url.password) } }),
    connectionTimeout: connectionTimeoutMs,
    greetingTimeout: connectionTimeoutMs,
    dnsTimeout: connectionTimeoutMs,
    socketTimeout: silenceTimeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return async ({ to, subject, text, messageId }) => {
    try {
      await transport.sendMail({ from, to: [to], subject, text, messageId, headers: { 'Auto-Submitted': 'auto-generated' } })
      return ok(undefined)
    } catch (cause) {
      return err(troubleOf(cause))
    }
  }
}

type SmtpFault = { readonly code?: unknown; readonly responseCode?: unknown; readonly command?: unknown }

/** What is said of the recipient or the message is about this mail; what comes before that, our own address included, is about the server. */
function troubleOf(cause: unknown): MailTrouble {
  const { code, responseCode, command } = (cause ?? {}) as SmtpFault
  const said = typeof responseCode === 'number' ? ` (${responseCode})` : ''
  if ((command === 'RCPT TO' || command === 'DATA') && typeof responseCode === 'number')
    return responseCode >= 500
      ? { kind: 'refused', say: `the mail server refused the mail${said}` }
      : { kind: 'delayed', say: `the mail server would not take the mail yet${said}` }
  if (code === 'EENVELOPE' && command === 'API') return { kind: 'refused', say: 'the address cannot be written to' }
  if (code === 'EAUTH') return { kind: 'unavailable', say: `the mail server did not accept our user or password${said}` }
  if (code === 'ETLS') return { kind: 'unavailable', say: 'the mail server offers no TLS that we accept' }
  return { kind: 'unavailable', say: `the mail server could not be used${said}` }
}
