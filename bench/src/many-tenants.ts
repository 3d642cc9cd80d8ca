/**
 * `node bench/dist/many-tenants.js [tenants]`: what ten thousand tenants, each with a connection, cost a broker that serves few of them: time
 * to ready, memory, the first login at one of them; then memory after every one of them was asked for once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { comeHome, goOut, redeem, signInAtIdp } from './browser-steps.js'
import { createSender, loop, percentile, type Sender } from './closed-loop.js'
import { inLaboratory, type Laboratory } from './laboratory.js'
import { insertManyConnections } from './many-connections.js'
import { requireProc, residentBytesOf } from './process-figures.js'
import { endOf } from './server-process.js'
import { inMebibytes, inMilliseconds, printTable } from './table.js'

const usual = 10_000
const starts = 3
const settleMs = 1500

type Started = { readonly readyMs: number; readonly bytes: number; readonly firstLoginMs: number }

/** One start, one login, the memory in between, and the end of it. */
async function startOnce(laboratory: Laboratory): Promise<Started> {
  const begun = performance.now()
  const pid = await laboratory.startBroker()
  const readyMs = performance.now() - begun
  await sleep(settleMs)
  const bytes = residentBytesOf(pid)
  const sender = createSender(laboratory.brokerUrl)
  const firstLoginMs = await login(laboratory, sender)
  sender.close()
  await endOf(pid)
  return { readyMs, bytes, firstLoginMs }
}

/** Authorize, the IdP's answer, the code and its tokens: everything for the first time in this process. */
async function login({ federation, idp }: Laboratory, sender: Sender): Promise<number> {
  const tenant = federation['xml-signature'].signed
  const begun = performance.now()
  const home = await comeHome(sender, tenant, signInAtIdp(idp, tenant, await goOut(sender, tenant)))
  await redeem(sender, tenant, home.code)
  return performance.now() - begun
}

/** The median start of some. */
async function startSome(laboratory: Laboratory): Promise<Started> {
  const found: Started[] = []
  for (let start = 0; start < starts; start += 1) found.push(await startOnce(laboratory))
  const typical = (of: (started: Started) => number): number => percentile(found.map(of), 0.5)
  return {
    readyMs: typical(({ readyMs }) => readyMs),
    bytes: typical(({ bytes }) => bytes),
    firstLoginMs: typical(({ firstLoginMs }) => firstLoginMs),
  }
}

async function askForAll(laboratory: Laboratory, count: number): Promise<number> {
  const pid = await laboratory.startBroker()
  const sender = createSender(laboratory.brokerUrl)
  await loop(
    async (_, turn) => {
      const { status } = await sender.send({ method: 'GET', path: `/t/many-${turn + 1}/.well-known/oauth-authorization-server` })
      if (status !== 200) throw new Error(`tenant ${turn + 1} was answered ${status}`)
    },
    0,
    count,
  )
  sender.close()
  return residentBytesOf(pid)
}

requireProc()
const count = Number(process.argv[2] ?? usual)
await inLaboratory(async (laboratory) => {
  const few = await startSome(laboratory)
  await insertManyConnections(laboratory.fixture.ownerUrl, { count, publicUrl: laboratory.brokerUrl })
  const many = await startSome(laboratory)
  const row = (name: string, started: Started) => [
    ...[name, inMilliseconds(started.readyMs), inMebibytes(started.bytes), inMilliseconds(started.firstLoginMs)],
  ]
  printTable(
    `The broker among tenants, median of ${starts} starts`,
    ['tenants', 'to ready, ms', 'RSS then', 'first login, ms'],
    [row('few', few), row(String(count), many)],
  )
  console.log(`\nRSS after each of ${count} tenants was asked for once: ${inMebibytes(await askForAll(laboratory, count))}`)
})
