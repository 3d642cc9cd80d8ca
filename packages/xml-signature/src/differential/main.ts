/** `node packages/xml-signature/dist/differential/main.js --messages N --seed S [--minutes M] [--report FILE] [--keep FILE]`: exits with 1 on a disagreement. */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { compare } from './compare.js'
import { reportOf } from './report.js'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '600' },
    report: { type: 'string' },
    keep: { type: 'string' },
  },
})
const plan = {
  messages: Number(values.messages),
  seed: Number(values.seed),
  minutes: Number(values.minutes),
  sampleRefused: 100,
  sampleAccepted: 30,
}
const comparison = await compare(plan, (done) => process.stderr.write(`${done}\n`))
const report = reportOf(plan, comparison)
process.stdout.write(report)
if (values.report !== undefined) writeFileSync(values.report, report)
if (values.keep !== undefined) writeFileSync(values.keep, JSON.stringify(comparison.disagreements, undefined, 1))
process.exitCode = comparison.disagreements.length === 0 ? 0 : 1
