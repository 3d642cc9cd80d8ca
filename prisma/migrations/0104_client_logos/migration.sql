-- Where a client says that its logo is, and the picture that an admin has seen there and let people see. A version that knows nothing of the column
-- leaves it as it is; it shows no logos.
ALTER TABLE "clients" ADD COLUMN "logo_uri" TEXT;

CREATE TABLE "client_logos" (
  "tenant_id" UUID NOT NULL,
  "issuer_id" UUID NOT NULL,
  "client_id" TEXT NOT NULL,
  "logo_uri" TEXT NOT NULL,
  "media_type" TEXT NOT NULL,
  "digest" TEXT NOT NULL,
  "picture" BYTEA NOT NULL,
  "approved_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "client_logos_pkey" PRIMARY KEY ("tenant_id", "issuer_id", "client_id")
);
ALTER TABLE "client_logos" ADD CONSTRAINT "client_logos_client_id_fkey" FOREIGN KEY ("tenant_id", "issuer_id", "client_id")
  REFERENCES "clients" ("tenant_id", "issuer_id", "client_id") ON DELETE CASCADE;
ALTER TABLE "client_logos" ADD CONSTRAINT "client_logos_media_type_check"
  CHECK ("media_type" IN ('image/png', 'image/jpeg', 'image/gif', 'image/webp'));
ALTER TABLE "client_logos" ADD CONSTRAINT "client_logos_picture_check" CHECK (octet_length("picture") <= 131072);

ALTER TABLE "client_logos" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "client_logos" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "client_logos" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY owner ON "client_logos" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "client_logos" TO drawbridge_tenant;
