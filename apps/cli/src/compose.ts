/** Puts the broker and the worker together from a platform. Each is loaded when it is started: neither fills the memory of the other's process. */

import type { BrokerApp } from '@drawbridge/broker/app'
import { createClientCache } from '@drawbridge/broker/clients/client-cache'
import type { BrokerDeps } from '@drawbridge/broker/deps'
import { createConfigurationCache } from '@drawbridge/broker/http/tenant'
import type { ConnectionId, TenantId } from '@drawbridge/core/tenant/ids'
import { createVerifiedSignatures } from '@drawbridge/crypto/verified-signatures'
import { createFetchSafely } from '@drawbridge/runtime/fetch-safely'
import { createSendMail } from '@drawbridge/runtime/send-mail'
import { createTxtResolver } from '@drawbridge/runtime/txt-resolver'
import { type ConnectionConfiguration, createConnector } from '@drawbridge/upstream/connection'
import type { Connector, ConnectorDeps } from '@drawbridge/upstream/connector'
import type { FindClientKey } from '@drawbridge/upstream/oidc/client-authentication'
import type { RunningWorker } from '@drawbridge/worker/worker'
import type { Platform } from './platform.js'
import { tellOfThisMachine } from './tell-of-this-machine.js'

export type RunningBroker = { readonly port: number; close(): Promise<void> }

/** `ownOrigins`: what an embedded start started itself and may therefore fetch from loopback. */
export async function startBroker(platform: Platform, ownOrigins: readonly string[] = []): Promise<RunningBroker> {
  const { createApp } = await import('@drawbridge/broker/app')
  const { findClientKey } = await import('@drawbridge/broker/authorize/client-key')
  const { createLoginRecorder } = await import('@drawbridge/broker/authorize/login-recorder')
  const { settings, installation } = platform
  await tellOfThisMachine(platform)
  const configuration = createConfigurationCache({ ...platform, installationId: installation.installationId })
  platform.onConfigurationChange((tenantId) => configuration.invalidate(tenantId as TenantId | undefined))
  const fetchSafely = fetchSafelyFor(platform, ownOrigins)
  const app = createApp({
    ...platform,
    installation: { id: installation.installationId, kind: installation.kind },
    configuration,
    clients: createClientCache(platform.database),
    logins: createLoginRecorder({ ...platform, installation: { id: installation.installationId } }),
    signatures: createVerifiedSignatures(),
    fetchSafely,
    connectorFor: keptConnectors(
      { random: platform.random, fetchSafely, report: (report) => platform.log.warn(report, 'a login went on with less') },
      (tenant, id) => () => findClientKey({ ...platform, installationId: installation.installationId }, tenant, id),
    ),
    resolveTxt: createTxtResolver(),
    onLabClock: (offsetMs) => platform.setClockOffset(offsetMs),
  })
  await listenOn(app, settings.port, settings.host)
  const address = app.server.address()
  return { port: typeof address === 'object' && address !== null ? address.port : settings.port, close: () => app.close() }
}

export async function startWorker(platform: Platform, ownOrigins: readonly string[] = []): Promise<RunningWorker> {
  const { createWorker } = await import('@drawbridge/worker/worker')
  const { settings } = platform
  return createWorker({
    ...platform,
    fetchSafely: fetchSafelyFor(platform, ownOrigins),
    installationId: platform.installation.installationId,
    queue: {
      databaseUrl: platform.database.url,
      ...(settings.redisUrl === undefined ? {} : { redisUrl: settings.redisUrl.reveal() }),
    },
    metricsAccess: settings,
    resolveTxt: createTxtResolver(),
    ...mailOf(settings),
    ...keyAgeOf(settings),
    receiversKeepSeconds: settings.receiptDays * secondsPerDay,
    eventKeepSeconds: settings.evidenceDays * secondsPerDay,
    host: settings.workerHost,
    port: settings.workerPort,
  })
}

const secondsPerDay = 86_400
const keyAgeOf = ({ signingKeyDays: days }: Platform['settings']) =>
  days === undefined ? {} : { signingKeyAgeSeconds: days * secondsPerDay }

const mailOf = ({ smtpUrl, mailFrom, publicUrl: origin }: Platform['settings']) =>
  smtpUrl === undefined || mailFrom === undefined ? {} : { mail: { send: createSendMail(smtpUrl.reveal(), mailFrom), origin } }

const fetchSafelyFor = ({ settings, installation }: Platform, ownOrigins: readonly string[]) =>
  createFetchSafely({ allowedOrigins: [...settings.allowedOrigins, ...ownOrigins], allowLoopback: installation.kind === 'lab' })

/** A connector holds its IdP's keys and discovery document, so it lives as long as the configuration it was made from. */
function keptConnectors(
  deps: ConnectorDeps,
  findKeyOf: (tenant: TenantId, connection: ConnectionId) => FindClientKey,
): BrokerDeps['connectorFor'] {
  const kept = new WeakMap<ConnectionConfiguration, Connector>()
  return (tenant, connection) => {
    if (!connection.configuration.ok || connection.disabled) return undefined
    const configuration = connection.configuration.value
    const connector =
      kept.get(configuration) ??
      createConnector(
        deps,
        connection.id,
        configuration,
        connection.secret,
        findKeyOf(tenant.id, connection.id),
        connection.serviceProvider,
      )
    kept.set(configuration, connector)
    return connector
  }
}

function listenOn(app: BrokerApp, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    app.server.once('error', reject)
    app.server.listen(port, host, () => {
      app.server.off('error', reject)
      resolve()
    })
  })
}
