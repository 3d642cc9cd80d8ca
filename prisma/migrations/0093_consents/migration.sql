-- What a person has agreed to, so that she is not asked the same again. It holds for the epochs and the client that it was given for.
CREATE TABLE "consents" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "issuer_id" UUID NOT NULL,
  "subject_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "client_id" TEXT NOT NULL,
  "resource_tenant_id" UUID NOT NULL,
  "resource_id" UUID NOT NULL,
  "redirect_uri" TEXT NOT NULL,
  "scopes" TEXT[] NOT NULL,
  "identity_scopes" TEXT[] NOT NULL,
  "judged_hash" BYTEA NOT NULL,
  "tenant_epoch" INTEGER NOT NULL,
  "client_epoch" INTEGER NOT NULL,
  "connection_epoch" INTEGER NOT NULL,
  "subject_epoch" INTEGER NOT NULL,
  "agreed_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "consents_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE UNIQUE INDEX "consents_once" ON "consents" ("tenant_id", "subject_id", "client_id", "issuer_id", "resource_tenant_id", "resource_id", "redirect_uri");
CREATE INDEX "consents_expires_at_idx" ON "consents" ("expires_at");
CREATE INDEX "consents_client_id_idx" ON "consents" ("client_id");
CREATE INDEX "consents_connection_id_idx" ON "consents" ("connection_id");
CREATE INDEX "consents_resource_id_idx" ON "consents" ("resource_id");
ALTER TABLE "consents" ADD CONSTRAINT "consents_issuer_id_fkey" FOREIGN KEY ("tenant_id", "issuer_id") REFERENCES "issuers" ("tenant_id", "id");
ALTER TABLE "consents" ADD CONSTRAINT "consents_subject_id_fkey" FOREIGN KEY ("tenant_id", "subject_id") REFERENCES "subjects" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "consents" ADD CONSTRAINT "consents_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id") REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "consents" ADD CONSTRAINT "consents_client_id_fkey" FOREIGN KEY ("tenant_id", "issuer_id", "client_id")
  REFERENCES "clients" ("tenant_id", "issuer_id", "client_id") ON DELETE CASCADE;
ALTER TABLE "consents" ADD CONSTRAINT "consents_resource_id_fkey" FOREIGN KEY ("resource_tenant_id", "resource_id")
  REFERENCES "resources" ("tenant_id", "id") ON DELETE CASCADE;

ALTER TABLE "consents" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "consents" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "consents" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY hot ON "consents" TO drawbridge_hot USING (true);
CREATE POLICY across ON "consents" TO drawbridge_across USING (true);
CREATE POLICY owner ON "consents" TO CURRENT_USER USING (true);
GRANT SELECT, DELETE ON "consents" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE ON "consents" TO drawbridge_hot;
GRANT SELECT, DELETE ON "consents" TO drawbridge_across;
ALTER TABLE "consents" ADD CONSTRAINT "consents_resource_tenant_check" CHECK ("resource_tenant_id" = "tenant_id" OR "resource_tenant_id" = '00000000-0000-0000-0000-000000000000');
