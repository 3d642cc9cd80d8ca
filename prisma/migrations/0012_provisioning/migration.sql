-- Who may become a subject. Null: nobody has chosen; then everybody whom the IdP names, until the first SCIM token is made.
ALTER TABLE "tenants" ADD COLUMN "provisioning_mode" TEXT
  CONSTRAINT "tenants_provisioning_mode_check" CHECK ("provisioning_mode" IN ('just_in_time', 'scim_only', 'invited_only'));
-- A tenant whose directory speaks SCIM today is SCIM-provisioned only from now on, as one that makes its first token is.
UPDATE "tenants" SET "provisioning_mode" = 'scim_only' WHERE EXISTS (SELECT 1 FROM "scim_tokens" AS "token"
  WHERE "token"."tenant_id" = "tenants"."id" AND "token"."revoked_at" IS NULL AND ("token"."expires_at" IS NULL OR "token"."expires_at" > now()));
INSERT INTO "audit_events" ("tenant_id", "at", "kind", "scopes", "reason", "detail")
SELECT "id", now(), 'tenant.provisioning_changed', '{}', 'migration', '{"mode": "scim_only"}' FROM "tenants" WHERE "provisioning_mode" IS NOT NULL;

-- Somebody whom an admin expects. Used once, by the login that makes her a subject.
CREATE TABLE "invitations" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "named_by" TEXT NOT NULL,
  "value" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "used_at" TIMESTAMPTZ(3),
  "revoked_at" TIMESTAMPTZ(3),
  CONSTRAINT "invitations_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "invitations_named_by_check" CHECK ("named_by" IN ('link_key', 'email'))
);
CREATE INDEX "invitations_tenant_id_connection_id_value_idx" ON "invitations" ("tenant_id", "connection_id", "value");
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id");
ALTER TABLE "invitations" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "invitations" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "invitations" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY hot ON "invitations" TO drawbridge_hot USING (true);
CREATE POLICY across ON "invitations" TO drawbridge_across USING (true);
CREATE POLICY owner ON "invitations" TO CURRENT_USER USING (true);
-- Kept when used or revoked: it says how somebody came in.
GRANT SELECT, INSERT, UPDATE ON "invitations" TO drawbridge_tenant;
GRANT SELECT, UPDATE ("used_at") ON "invitations" TO drawbridge_hot;
GRANT SELECT ON "invitations" TO drawbridge_across;
