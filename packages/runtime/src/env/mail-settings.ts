/** Settings of how mail leaves: announcements to the contacts of tenants, and nothing else. */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import { optional, type SettingEntries, secretUrl } from './setting.js'

export type MailSettings = {
  readonly smtpUrl: Secret | undefined
  readonly mailFrom: string | undefined
}

const plainAddress = /^[^\s@<>"(),:;\\[\]\p{Cc}]{1,64}@[A-Za-z0-9.-]{1,255}$/u
const address = (text: string): Result<string, string> => (plainAddress.test(text) ? ok(text) : err('must be one plain e-mail address'))

export const mailSettings: SettingEntries<MailSettings> = {
  smtpUrl: {
    name: 'DRAWBRIDGE_SMTP_URL',
    description:
      'The mail server that the worker hands announcements to: smtps://, or smtp:// with STARTTLS, which is demanded of any host but loopback. Not set: announcements wait, and the admin API lists them.',
    example: 'smtps://drawbridge:secret@mail.example.com:465',
    default: undefined,
    parse: optional(secretUrl('smtp:', 'smtps:')),
  },
  mailFrom: {
    name: 'DRAWBRIDGE_MAIL_FROM',
    description: 'The address that announcements come from. Needed with DRAWBRIDGE_SMTP_URL.',
    example: 'no-reply@login.example.com',
    default: undefined,
    parse: optional(address),
  },
}
