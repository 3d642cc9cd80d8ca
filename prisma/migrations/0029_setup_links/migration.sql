-- An invitation to a company's IT to describe its IdP. Worth nothing but drafts.
CREATE TABLE "setup_links" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "token_hash" BYTEA NOT NULL,
  "session_hash" BYTEA,
  "note" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "exchanged_at" TIMESTAMPTZ(3),
  "revoked_at" TIMESTAMPTZ(3),
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "setup_links_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "setup_links_exchanged_check" CHECK (("exchanged_at" IS NULL) = ("session_hash" IS NULL))
);
CREATE UNIQUE INDEX "setup_links_tenant_id_token_hash_key" ON "setup_links" ("tenant_id", "token_hash");
CREATE UNIQUE INDEX "setup_links_tenant_id_session_hash_key" ON "setup_links" ("tenant_id", "session_hash");
CREATE INDEX "setup_links_expires_at_idx" ON "setup_links" ("expires_at");
ALTER TABLE "setup_links" ADD CONSTRAINT "setup_links_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");

-- A connection that is none yet: no login, choice, domain or directory can name it, because it is in no table that they read.
CREATE TABLE "connection_drafts" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "setup_link_id" UUID NOT NULL,
  "state" TEXT NOT NULL,
  "kind" TEXT,
  "name" TEXT,
  "configuration" JSONB,
  "source" JSONB,
  "sealed_secret" BYTEA,
  "revision" INTEGER NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "decided_at" TIMESTAMPTZ(3),
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "connection_drafts_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "connection_drafts_state_check" CHECK ("state" IN ('empty', 'draft', 'waiting', 'activated', 'declined')),
  CONSTRAINT "connection_drafts_said_check" CHECK (("state" = 'empty') = ("kind" IS NULL) AND ("kind" IS NULL) = ("configuration" IS NULL)),
  CONSTRAINT "connection_drafts_kind_check" CHECK ("kind" IN ('saml', 'oidc'))
);
CREATE UNIQUE INDEX "connection_drafts_tenant_id_setup_link_id_key" ON "connection_drafts" ("tenant_id", "setup_link_id");
CREATE INDEX "connection_drafts_expires_at_idx" ON "connection_drafts" ("expires_at");
ALTER TABLE "connection_drafts" ADD CONSTRAINT "connection_drafts_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "connection_drafts" ADD CONSTRAINT "connection_drafts_setup_link_id_fkey" FOREIGN KEY ("tenant_id", "setup_link_id")
  REFERENCES "setup_links" ("tenant_id", "id") ON DELETE CASCADE;

ALTER TABLE "setup_links" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "setup_links" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "setup_links" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "setup_links" TO drawbridge_across USING (true);
CREATE POLICY owner ON "setup_links" TO CURRENT_USER USING (true);
ALTER TABLE "connection_drafts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "connection_drafts" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "connection_drafts" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "connection_drafts" TO drawbridge_across USING (true);
CREATE POLICY owner ON "connection_drafts" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE ("session_hash", "exchanged_at", "revoked_at") ON "setup_links" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE ON "connection_drafts" TO drawbridge_tenant;
-- The sweep, and which versions of the master key are still needed.
GRANT SELECT, DELETE ON "setup_links", "connection_drafts" TO drawbridge_across;
