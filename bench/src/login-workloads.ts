/** Somebody who is signed in already: her next client costs no trip to an IdP. */
import { codeOf, comeHome, expectRedirect, goOut, redeem, signInAtIdp } from './browser-steps.js'
import { connections, type Sender, type Workload } from './closed-loop.js'
import type { Laboratory } from './laboratory.js'

const fullSize = { warmUp: 1000, perRound: 300 } as const
const trialSize = { warmUp: 16, perRound: 16 } as const

export const loginSize = (isTrial: boolean) => (isTrial ? trialSize : fullSize)
export const loginRow = 'code + PKCE with a live session, to the token'

export function loginWorkloads(laboratory: Laboratory, sender: Sender, isTrial: boolean): readonly Workload[] {
  const { federation, idp } = laboratory
  const tenant = federation['xml-signature'].signed
  const sessions: string[] = []
  return [
    {
      name: loginRow,
      aim: '0.55 + 0.35',
      rounds: 5,
      ...loginSize(isTrial),
      prepare: async () => {
        for (let browser = 0; browser < connections; browser += 1) {
          const returning = signInAtIdp(idp, tenant, await goOut(sender, tenant))
          sessions.push((await comeHome(sender, tenant, returning)).cookies)
        }
      },
      run: async (lane) => {
        const cookie = sessions[lane % connections] as string
        const authorized = expectRedirect(await sender.send({ method: 'GET', path: tenant.authorizePath, headers: { cookie } }))
        await redeem(sender, tenant, codeOf(authorized))
      },
    },
  ]
}
