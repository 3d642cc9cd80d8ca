-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "authorization_requests" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "issuer_id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "browser_hash" BYTEA NOT NULL,
    "request" JSONB NOT NULL,
    "step" TEXT NOT NULL,
    "connection_id" UUID,
    "subject_id" UUID,
    "session_id" UUID,
    "noticed_at" TIMESTAMPTZ(3),
    "step_ups" INTEGER NOT NULL DEFAULT 0,
    "decision" JSONB,
    "tenant_epoch" INTEGER NOT NULL,
    "client_epoch" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "answered_at" TIMESTAMPTZ(3),

    CONSTRAINT "authorization_requests_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "login_requests" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "authorization_request_id" UUID NOT NULL,
    "connection_id" UUID NOT NULL,
    "purpose" TEXT NOT NULL,
    "browser_hash" BYTEA NOT NULL,
    "upstream_id" TEXT NOT NULL,
    "sealed_state" BYTEA NOT NULL,
    "tenant_epoch" INTEGER NOT NULL,
    "connection_epoch" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "consumed_at" TIMESTAMPTZ(3),

    CONSTRAINT "login_requests_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "parked_messages" (
    "tenant_id" UUID NOT NULL,
    "handle_hash" BYTEA NOT NULL,
    "connection_id" UUID NOT NULL,
    "sealed" BYTEA NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "parked_messages_pkey" PRIMARY KEY ("tenant_id","handle_hash")
);

-- CreateTable
CREATE TABLE "replays" (
    "tenant_id" UUID NOT NULL,
    "connection_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "id_hash" BYTEA NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "replays_pkey" PRIMARY KEY ("tenant_id","connection_id","kind","id_hash")
);

-- CreateTable
CREATE TABLE "browser_sessions" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "issuer_id" UUID NOT NULL,
    "handle_hash" BYTEA NOT NULL,
    "subject_id" UUID NOT NULL,
    "connection_id" UUID NOT NULL,
    "tenant_epoch" INTEGER NOT NULL,
    "connection_epoch" INTEGER NOT NULL,
    "subject_epoch" INTEGER NOT NULL,
    "acr" TEXT,
    "amr" TEXT[],
    "authenticated_at" TIMESTAMPTZ(3),
    "idp_session" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "browser_sessions_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "grants" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "issuer_id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "resource_tenant_id" UUID NOT NULL,
    "resource_id" UUID NOT NULL,
    "audience" TEXT NOT NULL,
    "subject_id" UUID,
    "connection_id" UUID,
    "session_id" UUID,
    "scopes" TEXT[],
    "epoch" INTEGER NOT NULL DEFAULT 1,
    "tenant_epoch" INTEGER NOT NULL,
    "client_epoch" INTEGER NOT NULL,
    "connection_epoch" INTEGER NOT NULL DEFAULT 0,
    "subject_epoch" INTEGER NOT NULL DEFAULT 0,
    "policy_version" INTEGER NOT NULL,
    "claims_version" INTEGER NOT NULL DEFAULT 0,
    "acr" TEXT,
    "amr" TEXT[],
    "authenticated_at" TIMESTAMPTZ(3),
    "access_token_ttl_seconds" INTEGER NOT NULL,
    "refresh_ttl_seconds" INTEGER,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ceilings" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "revoked_reason" TEXT,

    CONSTRAINT "grants_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "authorization_codes" (
    "tenant_id" UUID NOT NULL,
    "code_hash" BYTEA NOT NULL,
    "grant_id" UUID NOT NULL,
    "issuer_id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "redirect_uri" TEXT NOT NULL,
    "code_challenge" TEXT NOT NULL,
    "nonce" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "redeemed_at" TIMESTAMPTZ(3),

    CONSTRAINT "authorization_codes_pkey" PRIMARY KEY ("tenant_id","code_hash")
);

-- CreateTable
CREATE TABLE "refresh_tokens" (
    "tenant_id" UUID NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "grant_id" UUID NOT NULL,
    "issuer_id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "rotated_at" TIMESTAMPTZ(3),
    "successor_hash" BYTEA,
    "successor_key_version" INTEGER,
    "successor_used_at" TIMESTAMPTZ(3),
    "grace_replays" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "refresh_tokens_pkey" PRIMARY KEY ("tenant_id","token_hash")
);

-- CreateTable
CREATE TABLE "subjects" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "connection_id" UUID NOT NULL,
    "stable_id" TEXT NOT NULL,
    "scim_user_id" UUID,
    "claims" JSONB NOT NULL,
    "claims_version" INTEGER NOT NULL DEFAULT 1,
    "claims_at" TIMESTAMPTZ(3) NOT NULL,
    "epoch" INTEGER NOT NULL DEFAULT 1,
    "barrier_at" TIMESTAMPTZ(3),
    "deactivated_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_login_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "subjects_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "scim_users" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "connection_id" UUID NOT NULL,
    "user_name" TEXT NOT NULL,
    "user_name_key" TEXT NOT NULL,
    "external_id" TEXT,
    "active" BOOLEAN NOT NULL DEFAULT true,
    "resource" JSONB NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "scim_users_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "audit_events" (
    "tenant_id" UUID NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "kind" TEXT NOT NULL,
    "issuer_id" UUID,
    "subject_id" UUID,
    "client_id" TEXT,
    "connection_id" UUID,
    "grant_id" UUID,
    "scopes" TEXT[],
    "reason" TEXT,
    "detail" JSONB NOT NULL,
    "request_id" TEXT,
    "address" TEXT,

    CONSTRAINT "audit_events_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "deprovisioning_events" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "source" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "target_id" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "matched" BOOLEAN NOT NULL DEFAULT true,
    "told_at" TIMESTAMPTZ(3),
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "barrier_at" TIMESTAMPTZ(3) NOT NULL,
    "swept_at" TIMESTAMPTZ(3),

    CONSTRAINT "deprovisioning_events_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "outbox" (
    "tenant_id" UUID NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "kind" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "relayed_at" TIMESTAMPTZ(3),
    "done_at" TIMESTAMPTZ(3),

    CONSTRAINT "outbox_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "revocations" (
    "tenant_id" UUID NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "event_id" UUID NOT NULL,
    "issuer_id" UUID NOT NULL,
    "target" TEXT NOT NULL,
    "target_id" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "revocations_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "notices" (
    "tenant_id" UUID NOT NULL,
    "resource_id" UUID NOT NULL,
    "position" BIGINT NOT NULL,
    "jti" UUID NOT NULL,
    "event_id" UUID NOT NULL,
    "token" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "notices_pkey" PRIMARY KEY ("tenant_id","resource_id","position")
);

-- CreateTable
CREATE TABLE "notice_streams" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "resource_id" UUID NOT NULL,
    "instance" TEXT NOT NULL,
    "acknowledged" BIGINT NOT NULL DEFAULT 0,
    "opened_at" TIMESTAMPTZ(3) NOT NULL,
    "heard_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "notice_streams_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "notice_deliveries" (
    "tenant_id" UUID NOT NULL,
    "stream_id" UUID NOT NULL,
    "resource_id" UUID NOT NULL,
    "position" BIGINT NOT NULL,
    "delivered_at" TIMESTAMPTZ(3) NOT NULL,
    "acknowledged_at" TIMESTAMPTZ(3),

    CONSTRAINT "notice_deliveries_pkey" PRIMARY KEY ("tenant_id","stream_id","position")
);

-- CreateTable
CREATE TABLE "installation" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "kind" TEXT NOT NULL,
    "installation_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "lab_clock_offset_ms" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "installation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tenants" (
    "id" UUID NOT NULL,
    "slug" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL DEFAULT 1,
    "barrier_at" TIMESTAMPTZ(3),
    "configuration_version" BIGINT NOT NULL DEFAULT 1,
    "policy_version" INTEGER NOT NULL DEFAULT 0,
    "suspended_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "issuers" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "issuers_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "signing_keys" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "issuer_id" UUID NOT NULL,
    "purpose" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "sealed_private_key" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "activated_at" TIMESTAMPTZ(3),
    "retired_at" TIMESTAMPTZ(3),

    CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "domains" (
    "tenant_id" UUID NOT NULL,
    "domain" TEXT NOT NULL,
    "connection_id" UUID,
    "verified_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "domains_pkey" PRIMARY KEY ("tenant_id","domain")
);

-- CreateTable
CREATE TABLE "connections" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "configuration" JSONB NOT NULL,
    "sealed_secret" BYTEA,
    "epoch" INTEGER NOT NULL DEFAULT 1,
    "barrier_at" TIMESTAMPTZ(3),
    "disabled_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "connections_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "resources" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "identifier" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "access_token_ttl_seconds" INTEGER,
    "notice_position" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "resources_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "resource_issuers" (
    "tenant_id" UUID NOT NULL,
    "resource_id" UUID NOT NULL,
    "issuer_tenant_id" UUID NOT NULL,
    "issuer_id" UUID NOT NULL,

    CONSTRAINT "resource_issuers_pkey" PRIMARY KEY ("tenant_id","resource_id","issuer_tenant_id","issuer_id")
);

-- CreateTable
CREATE TABLE "resource_scopes" (
    "tenant_id" UUID NOT NULL,
    "resource_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "tier" TEXT NOT NULL,
    "is_default" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "resource_scopes_pkey" PRIMARY KEY ("tenant_id","resource_id","name")
);

-- CreateTable
CREATE TABLE "resource_credentials" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "resource_id" UUID NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "resource_credentials_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "clients" (
    "tenant_id" UUID NOT NULL,
    "issuer_id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "redirect_uris" TEXT[],
    "grant_types" TEXT[],
    "token_endpoint_auth_method" TEXT NOT NULL,
    "secret_hash" BYTEA,
    "jwks" JSONB,
    "application_type" TEXT NOT NULL DEFAULT 'web',
    "pre_approved" BOOLEAN NOT NULL DEFAULT false,
    "scope_ceiling" TEXT[],
    "access_token_ttl_seconds" INTEGER,
    "epoch" INTEGER NOT NULL DEFAULT 1,
    "barrier_at" TIMESTAMPTZ(3),
    "blocked_at" TIMESTAMPTZ(3),
    "document_expires_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "clients_pkey" PRIMARY KEY ("tenant_id","issuer_id","client_id")
);

-- CreateTable
CREATE TABLE "policies" (
    "tenant_id" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "document" TEXT NOT NULL,
    "author" TEXT NOT NULL,
    "note" TEXT NOT NULL DEFAULT '',
    "published_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "policies_pkey" PRIMARY KEY ("tenant_id","version")
);

-- CreateTable
CREATE TABLE "admin_keys" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "permissions" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "marked" TEXT,

    CONSTRAINT "admin_keys_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "scim_tokens" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "connection_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "scim_tokens_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE INDEX "authorization_requests_expires_at_idx" ON "authorization_requests"("expires_at");

-- CreateIndex
CREATE INDEX "login_requests_expires_at_idx" ON "login_requests"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "login_requests_tenant_id_connection_id_upstream_id_key" ON "login_requests"("tenant_id", "connection_id", "upstream_id");

-- CreateIndex
CREATE INDEX "parked_messages_expires_at_idx" ON "parked_messages"("expires_at");

-- CreateIndex
CREATE INDEX "replays_expires_at_idx" ON "replays"("expires_at");

-- CreateIndex
CREATE INDEX "browser_sessions_tenant_id_subject_id_idx" ON "browser_sessions"("tenant_id", "subject_id");

-- CreateIndex
CREATE INDEX "browser_sessions_expires_at_idx" ON "browser_sessions"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "browser_sessions_tenant_id_handle_hash_key" ON "browser_sessions"("tenant_id", "handle_hash");

-- CreateIndex
CREATE INDEX "grants_tenant_id_subject_id_idx" ON "grants"("tenant_id", "subject_id");

-- CreateIndex
CREATE INDEX "grants_tenant_id_client_id_idx" ON "grants"("tenant_id", "client_id");

-- CreateIndex
CREATE INDEX "grants_expires_at_idx" ON "grants"("expires_at");

-- CreateIndex
CREATE INDEX "authorization_codes_expires_at_idx" ON "authorization_codes"("expires_at");

-- CreateIndex
CREATE INDEX "refresh_tokens_tenant_id_grant_id_idx" ON "refresh_tokens"("tenant_id", "grant_id");

-- CreateIndex
CREATE INDEX "refresh_tokens_expires_at_idx" ON "refresh_tokens"("expires_at");

-- CreateIndex
CREATE INDEX "subjects_tenant_id_scim_user_id_idx" ON "subjects"("tenant_id", "scim_user_id");

-- CreateIndex
CREATE UNIQUE INDEX "subjects_tenant_id_connection_id_stable_id_key" ON "subjects"("tenant_id", "connection_id", "stable_id");

-- CreateIndex
CREATE INDEX "scim_users_tenant_id_connection_id_external_id_idx" ON "scim_users"("tenant_id", "connection_id", "external_id");

-- CreateIndex
CREATE INDEX "audit_events_tenant_id_at_idx" ON "audit_events"("tenant_id", "at");

-- CreateIndex
CREATE INDEX "deprovisioning_events_tenant_id_received_at_idx" ON "deprovisioning_events"("tenant_id", "received_at");

-- CreateIndex
CREATE INDEX "revocations_expires_at_idx" ON "revocations"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "revocations_tenant_id_event_id_issuer_id_target_target_id_key" ON "revocations"("tenant_id", "event_id", "issuer_id", "target", "target_id");

-- CreateIndex
CREATE UNIQUE INDEX "notices_tenant_id_resource_id_event_id_jti_key" ON "notices"("tenant_id", "resource_id", "event_id", "jti");

-- CreateIndex
CREATE INDEX "notice_streams_tenant_id_resource_id_idx" ON "notice_streams"("tenant_id", "resource_id");

-- CreateIndex
CREATE UNIQUE INDEX "tenants_slug_key" ON "tenants"("slug");

-- CreateIndex
CREATE UNIQUE INDEX "issuers_url_key" ON "issuers"("url");

-- CreateIndex
CREATE UNIQUE INDEX "domains_domain_key" ON "domains"("domain");

-- CreateIndex
CREATE UNIQUE INDEX "resources_identifier_key" ON "resources"("identifier");



