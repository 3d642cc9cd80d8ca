// The fault harness by hand: `pnpm faults --minutes 10 --seed 4711 --queue redis`. Without a seed it draws one and says which.
// `--away 60`: for so many minutes of the run a guard, and what a company has outside, are away. `--rest 150`: everybody rests so many times as long between
// two things, so that a run of hours does not fill the machine.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    queue: { type: 'string' },
    away: { type: 'string', default: '0' },
    rest: { type: 'string', default: '1' },
  },
})
const minutes = Number(values.minutes)
const away = Number(values.away)
const rest = Number(values.rest)
if (
  !(minutes > 0) ||
  !(away >= 0 && away < minutes) ||
  !(rest >= 1) ||
  (values.seed !== undefined && !/^\d+$/.test(values.seed)) ||
  ![undefined, 'postgresql', 'redis'].includes(values.queue)
) {
  console.error(
    'usage: pnpm faults [--minutes <number>] [--seed <whole number>] [--queue postgresql|redis] [--away <minutes of them>] [--rest <times>]',
  )
  process.exit(2)
}
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'apps/cli/test/faults.test'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    DRAWBRIDGE_FAULTS_SECONDS: String(Math.round(minutes * 60)),
    DRAWBRIDGE_FAULTS_AWAY_SECONDS: String(Math.round(away * 60)),
    DRAWBRIDGE_FAULTS_REST_TIMES: String(rest),
    ...(values.seed ? { DRAWBRIDGE_FAULTS_SEED: values.seed } : {}),
    ...(values.queue ? { DRAWBRIDGE_FAULTS_QUEUE: values.queue } : {}),
  },
})
process.exit(status ?? 1)
