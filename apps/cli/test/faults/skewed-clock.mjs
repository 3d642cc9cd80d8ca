// Loaded before a process of the product: its clock is ahead of the machine's by what a file says, which may change while it runs.
import { readFileSync } from 'node:fs'

const file = process.env.CLOCK_OFFSET_FILE
const RealDate = Date
const realNow = RealDate.now.bind(RealDate)
let offset = 0
const read = () => {
  try {
    offset = Number(readFileSync(file, 'utf8')) || 0
  } catch {
    offset = 0
  }
}
read()
setInterval(read, 100).unref()
globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(realNow() + offset)
    else super(...given)
  }
  static now() {
    return realNow() + offset
  }
}
