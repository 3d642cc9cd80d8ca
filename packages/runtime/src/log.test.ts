import { Writable } from 'node:stream'
import { Secret } from '@drawbridge/core/secret'
import { expect, test } from 'vitest'
import { createLog, type LogFields, redactedNames } from './log.js'

function written(fields: LogFields): string {
  let text = ''
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  createLog({ level: 'info', destination }).child({ requestId: 'r1' }).info(fields, 'said')
  return text
}

test('a line is one JSON object with its request id and time', () => {
  expect(JSON.parse(written({ status: 200 }))).toMatchObject({
    requestId: 'r1',
    status: 200,
    msg: 'said',
    time: expect.stringMatching(/^\d{4}-/),
  })
})

test.each(redactedNames)('%s is never written, at the top or one level down', (name) => {
  expect(written({ [name]: 'hush' })).not.toContain('hush')
  expect(written({ form: { [name]: 'hush' } })).not.toContain('hush')
})

test('a Secret is never written, however deep', () => {
  expect(written({ a: { b: { c: new Secret('hush') } } })).not.toContain('hush')
})
