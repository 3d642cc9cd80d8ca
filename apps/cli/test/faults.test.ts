/**
 * Nothing is lost, whatever dies: processes, database, queue and network are broken at random moments under load, and the ledger of what was promised
 * is held against what was seen. `pnpm faults --minutes 10 --seed 4711` runs it long; a run that found something names its seed.
 */
import { randomInt } from 'node:crypto'
import { asOwner } from '@drawbridge/testkit/database'
import { hasTool } from '@drawbridge/testkit/required-tool'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aShakenFleet, type Engine, type ShakenFleet } from './faults/a-shaken-fleet.js'
import { type Run, runFaults } from './faults/run-faults.js'

const asked = {
  seconds: Number(process.env['DRAWBRIDGE_FAULTS_SECONDS'] ?? 0),
  seed: process.env['DRAWBRIDGE_FAULTS_SEED'],
  queue: process.env['DRAWBRIDGE_FAULTS_QUEUE'],
  awaySeconds: Number(process.env['DRAWBRIDGE_FAULTS_AWAY_SECONDS'] ?? 0),
  restTimes: Number(process.env['DRAWBRIDGE_FAULTS_REST_TIMES'] ?? 1),
}
const fixedSeed = 20_261_129
const seconds = asked.seconds || 6
/** Small, somebody is away for most of the run. */
const awaySeconds = asked.seconds > 0 ? asked.awaySeconds : 4
/** Where ids are kept of what happens once. */
const remembered = 'replays'
const aSeed = () => randomInt(2 ** 31 - 1)
/** The judgement asks of every token everywhere: after a long run on a busy machine it takes as long again. */
const limitMs = (2 * seconds + 500) * 1000

async function nothingIsLost(fleet: ShakenFleet, run: Run): Promise<void> {
  console.log(`faults: seed ${run.seed}, ${run.seconds} s`)
  const { contradictions, trail, shaken, figures, weather: faults } = await runFaults(fleet, run)
  const told = `seed ${run.seed}: ${JSON.stringify(figures)}, ${JSON.stringify(faults)}`
  console.log(told)
  if (contradictions.length > 0) {
    const weather = shaken.map(({ at, what }) => `${(at / 1000).toFixed(3)} s ${what}`)
    throw new Error(
      [told, ...contradictions.slice(0, 20), `${contradictions.length} contradictions.`, ...trail, 'The weather:', ...weather].join('\n'),
    )
  }
  expect(figures['acknowledged']).toBeGreaterThan(0)
}

const withRedis: readonly Engine[] = hasTool('redis-server') ? ['postgresql', 'redis'] : ['postgresql']
const engines = withRedis.filter((engine) => asked.queue === undefined || asked.queue === engine)
describe.each(engines)('with the queue on %s', (engine) => {
  let fleet: ShakenFleet
  beforeAll(async () => {
    fleet = await aShakenFleet(engine, asked.seconds === 0)
  }, 600_000)
  afterAll(() => fleet?.stop(), 60_000)

  // Small, the fixed seed runs on PostgreSQL and a drawn one where there is another queue.
  const small = engine === 'redis' ? [aSeed()] : [fixedSeed]
  const seeds = asked.seed !== undefined ? [Number(asked.seed)] : asked.seconds > 0 ? [aSeed()] : small
  it.each(seeds)(
    'seed %i: every acknowledged end holds everywhere, nothing is done twice, nobody is shut out without one',
    async (seed) => {
      await nothingIsLost(fleet, { seed, seconds, awaySeconds, restTimes: asked.restTimes })
    },
    limitMs,
  )

  if (engine === 'redis' || asked.seconds > 0) return
  it(
    'the ledger notices an end that was acknowledged and never written',
    async () => {
      const plant = () => async () => ({ status: 200, json: {} })
      const { contradictions } = await runFaults(fleet, { seed: fixedSeed, seconds: 3, isShaken: false, noticeMs: 500, plant })
      expect(contradictions).toContainEqual(expect.stringMatching(/broker-\d called .* active at .* its end was acknowledged/))
      expect(contradictions).toContainEqual(expect.stringMatching(/the client .* was not told|nobody was told that/))
    },
    limitMs,
  )

  it(
    'the ledger notices notices that were dropped, signals that are done as often as they are said, and what is given up because its receiver is away',
    async () => {
      const run = (sql: string) => asOwner(fleet.postgres.ownerUrl, sql)
      await run('CREATE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$')
      await run('CREATE TRIGGER dropped BEFORE INSERT ON notices FOR EACH ROW EXECUTE FUNCTION dropped()')
      await run(
        `CREATE FUNCTION forgotten() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM ${remembered} WHERE kind = NEW.kind; RETURN NULL; END $$`,
      )
      await run(
        `CREATE TRIGGER forgotten AFTER INSERT ON ${remembered} FOR EACH ROW WHEN (NEW.kind = 'security_event_token') EXECUTE FUNCTION forgotten()`,
      )
      await run(`CREATE FUNCTION impatient() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.dead_at = now(); NEW.expires_at = now() + interval '1 day'; RETURN NEW; END $$`)
      await run(
        'CREATE TRIGGER impatient BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.reason IS NOT NULL AND NEW.expires_at IS NULL) EXECUTE FUNCTION impatient()',
      )
      const { contradictions } = await runFaults(fleet, { seed: fixedSeed, seconds: 3, awaySeconds: 2, isShaken: false, noticeMs: 2000 })
      expect(contradictions).toContainEqual(expect.stringMatching(/deliveries that were given up: \d+/))
      expect(contradictions).toContainEqual(expect.stringMatching(/guard-\d still calls a token of \w+ active, whose end was acknowledged/))
      expect(contradictions).toContainEqual(expect.stringMatching(/the foreign receiver \(p(ushed|olled)\) was not told/))
      expect(contradictions).toContainEqual(expect.stringMatching(/\d+ signals were done; \d+ were sent/))
      expect(contradictions).toContainEqual(expect.stringMatching(/broker-\d refused .* and nothing was taken away since/))
    },
    limitMs,
  )
})
