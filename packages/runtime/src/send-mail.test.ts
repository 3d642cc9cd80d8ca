/** Over a real mail server: what it says decides whether the mail, or the server, is in trouble. */
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterEach, describe, expect, it } from 'vitest'
import { createSendMail, type Mail } from './send-mail.js'

const mail: Mail = {
  to: { name: 'Peter, "IT" <x@y.example>', address: 'peter@initech.example' },
  subject: 'Initech: how people sign in was changed',
  text: 'A first line\n.\nand a third, with ü\n',
  messageId: '<1@login.example.com>',
}
let server: SMTPServer | undefined
afterEach(async () => {
  await new Promise<void>((resolve) => (server ? server.close(resolve) : resolve()))
  server = undefined
})

type Answers = {
  readonly rcpt?: number
  readonly data?: number
  readonly from?: number
  readonly hasTls?: boolean
  readonly knows?: string
}
const fault = (responseCode: number | undefined) => (responseCode === undefined ? null : Object.assign(new Error('no'), { responseCode }))

async function aMailServer({ rcpt, data, from, hasTls = false, knows }: Answers = {}) {
  const received: { to: readonly string[]; raw: string }[] = []
  server = new SMTPServer({
    authOptional: knows === undefined,
    hideSTARTTLS: !hasTls,
    allowInsecureAuth: true,
    onAuth: ({ password }, _session, done) => done(password === knows ? null : new Error('no'), { user: 'drawbridge' }),
    onMailFrom: (_address, _session, done) => done(fault(from)),
    onRcptTo: (_address, _session, done) => done(fault(rcpt)),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        received.push({ to: session.envelope.rcptTo.map(({ address }) => address), raw: Buffer.concat(chunks).toString('utf8') })
        done(fault(data))
      })
    },
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo
  return { received, url: (user = '') => `smtp://${user}127.0.0.1:${port}` }
}

const from = 'no-reply@login.example.com'

it('hands one plain mail to one address, whatever her name holds', async () => {
  const { received, url } = await aMailServer()
  expect(await createSendMail(url(), from)(mail)).toEqual({ ok: true, value: undefined })
  expect(received.map(({ to }) => to)).toEqual([['peter@initech.example']])
  const raw = received[0]?.raw ?? ''
  expect(raw).toContain('Message-ID: <1@login.example.com>')
  expect(raw).toContain('Auto-Submitted: auto-generated')
  expect(raw).toMatch(/^From: no-reply@login\.example\.com\r$/m)
  expect(raw).toContain('A first line')
})

it('proves itself with the user and password of its URL', async () => {
  const { received, url } = await aMailServer({ knows: 'a/b' })
  expect((await createSendMail(url('drawbridge:a%2Fb@'), from)(mail)).ok).toBe(true)
  expect(received).toHaveLength(1)
})

describe('trouble', () => {
  it.each([
    { when: 'the recipient is refused for good', answers: { rcpt: 550 }, kind: 'refused', said: '550' },
    { when: 'the message is refused for good', answers: { data: 554 }, kind: 'refused', said: '554' },
    { when: 'the recipient is asked to come back later', answers: { rcpt: 451 }, kind: 'delayed', said: '451' },
    { when: 'our own address is refused', answers: { from: 550 }, kind: 'unavailable', said: '550' },
    { when: 'the password is wrong', answers: { knows: 'secret' }, user: 'drawbridge:wrong@', kind: 'unavailable', said: 'password' },
  ])('is $kind when $when', async ({ answers, kind, said, user }) => {
    const { url } = await aMailServer(answers)
    const sent = await createSendMail(url(user), from)(mail)
    expect(sent).toMatchObject({ ok: false, error: { kind } })
    expect(!sent.ok && sent.error.say).toContain(said)
  })
  it('is unavailable when nobody listens', async () => {
    expect(await createSendMail('smtp://127.0.0.1:1', from)(mail)).toMatchObject({ ok: false, error: { kind: 'unavailable' } })
  })
  it('is refused when the address is none', async () => {
    const { url, received } = await aMailServer()
    const odd = { ...mail, to: { name: 'x', address: 'x\r\nRCPT TO:<y@z.example>' } }
    expect((await createSendMail(url(), from)(odd)).ok).toBe(false)
    expect(received).toEqual([])
  })
})
