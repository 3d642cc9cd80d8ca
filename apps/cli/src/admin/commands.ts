/** Every command that speaks to the admin API. */
import type { AdminCommand } from './command.js'
import { clientCommands } from './commands/client-commands.js'
import { clientSecretCommands } from './commands/client-secret-commands.js'
import { connectionCommands } from './commands/connection-commands.js'
import { deadLetterCommands } from './commands/dead-letter-commands.js'
import { deliveryCommands } from './commands/delivery-commands.js'
import { deviceCommands } from './commands/device-commands.js'
import { domainCommands } from './commands/domain-commands.js'
import { drillCommands } from './commands/drill-commands.js'
import { exchangeCommands } from './commands/exchange-commands.js'
import { factorCommands } from './commands/factor-commands.js'
import { fileCommands } from './commands/file-commands.js'
import { frontCommands } from './commands/front-commands.js'
import { grantCommands } from './commands/grant-commands.js'
import { loginCommands } from './commands/login-commands.js'
import { policyCommands } from './commands/policy-commands.js'
import { recordedLoginCommands } from './commands/recorded-login-commands.js'
import { setupCommands } from './commands/setup-commands.js'
import { signalCommands } from './commands/signal-commands.js'
import { signingKeyCommands } from './commands/signing-key-commands.js'
import { streamCommands } from './commands/stream-commands.js'
import { subjectTypeCommands } from './commands/subject-type-commands.js'
import { tenantCommands } from './commands/tenant-commands.js'
import { trustCommands } from './commands/trust-commands.js'
import { watchCommands } from './commands/watch-commands.js'
import { webhookCommands } from './commands/webhook-commands.js'

export const adminCommands: readonly AdminCommand[] = [
  ...tenantCommands,
  ...frontCommands,
  ...connectionCommands,
  ...trustCommands,
  ...signalCommands,
  ...setupCommands,
  ...domainCommands,
  ...policyCommands,
  ...grantCommands,
  ...clientSecretCommands,
  ...clientCommands,
  ...deviceCommands,
  ...subjectTypeCommands,
  ...exchangeCommands,
  ...streamCommands,
  ...factorCommands,
  ...watchCommands,
  ...signingKeyCommands,
  ...deadLetterCommands,
  ...drillCommands,
  ...deliveryCommands,
  ...webhookCommands,
  ...loginCommands,
  ...recordedLoginCommands,
  ...fileCommands,
]
