-- Which master keys this installation knows, so that a process with another one stops at its start instead of at the first value it cannot open.
CREATE TABLE "master_keys" (
  "version" INTEGER NOT NULL,
  "check_value" BYTEA NOT NULL,
  "first_seen_at" TIMESTAMPTZ(3) NOT NULL,
  "used_at" TIMESTAMPTZ(3),
  "retired_at" TIMESTAMPTZ(3),
  CONSTRAINT "master_keys_pkey" PRIMARY KEY ("version")
);
-- It belongs to no tenant. What proves a key is written once.
GRANT SELECT, INSERT, UPDATE ("used_at", "retired_at") ON "master_keys" TO drawbridge_across;

-- A stream belongs to the issuer at which it was opened, and carries the notices of that issuer alone.
-- Null: written by the version before; such a stream is unknown, such a notice is in every stream of its resource until it expires.
ALTER TABLE "notice_streams" ADD COLUMN "issuer_tenant_id" UUID, ADD COLUMN "issuer_id" UUID;
ALTER TABLE "notices" ADD COLUMN "issuer_tenant_id" UUID, ADD COLUMN "issuer_id" UUID;
ALTER TABLE "notice_streams" ADD CONSTRAINT "notice_streams_issuer_id_fkey" FOREIGN KEY ("issuer_tenant_id", "issuer_id") REFERENCES "issuers" ("tenant_id", "id");
ALTER TABLE "notices" ADD CONSTRAINT "notices_issuer_id_fkey" FOREIGN KEY ("issuer_tenant_id", "issuer_id") REFERENCES "issuers" ("tenant_id", "id");

-- What an instance refused is told apart from what it has not answered yet.
ALTER TABLE "notice_deliveries" ADD COLUMN "refused_at" TIMESTAMPTZ(3), ADD COLUMN "refusal" TEXT;
