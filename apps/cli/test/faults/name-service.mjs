// Loaded before a process of the product: whoever is outside has a public name, as the product demands, and rests on this machine.
import { promises } from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'

const { lookup } = promises
promises.lookup = (name, options) =>
  name === 'outside.example' ? Promise.resolve([{ address: '127.0.0.1', family: 4 }]) : lookup(name, options)
syncBuiltinESMExports()
