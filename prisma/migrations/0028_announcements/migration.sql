-- Whom a tenant wants told when somebody changes how its people sign in.
CREATE TABLE "contacts" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "name" TEXT NOT NULL,
  "email" TEXT NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "contacts_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE UNIQUE INDEX "contacts_tenant_id_email_key" ON "contacts" ("tenant_id", "email");
ALTER TABLE "contacts" ADD CONSTRAINT "contacts_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");

-- One mail to one contact. It gathers acts while it is open, and is kept after it was sent or given up, because it says who was told.
CREATE TABLE "announcements" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "recipient_name" TEXT NOT NULL,
  "recipient_email" TEXT NOT NULL,
  "acts" JSONB NOT NULL,
  "act_count" INTEGER NOT NULL,
  "is_open" BOOLEAN NOT NULL,
  "state" TEXT NOT NULL,
  "attempts" INTEGER NOT NULL,
  "trouble" TEXT,
  "opened_at" TIMESTAMPTZ(3) NOT NULL,
  "try_at" TIMESTAMPTZ(3) NOT NULL,
  "ended_at" TIMESTAMPTZ(3),
  "expires_at" TIMESTAMPTZ(3),
  CONSTRAINT "announcements_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "announcements_state_check" CHECK ("state" IN ('waiting', 'sent', 'failed')),
  CONSTRAINT "announcements_ended_check" CHECK (("state" = 'waiting') = ("ended_at" IS NULL) AND ("ended_at" IS NULL) = ("expires_at" IS NULL))
);
-- One open mail of a recipient: what is done within the window goes into it, whoever does it at the same time.
CREATE UNIQUE INDEX "announcements_open" ON "announcements" ("tenant_id", "recipient_email") WHERE "is_open";
CREATE INDEX "announcements_due" ON "announcements" ("try_at") WHERE "state" = 'waiting';
CREATE INDEX "announcements_tenant_id_opened_at_id_idx" ON "announcements" ("tenant_id", "opened_at", "id");
CREATE INDEX "announcements_expires_at_idx" ON "announcements" ("expires_at");
ALTER TABLE "announcements" ADD CONSTRAINT "announcements_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");

ALTER TABLE "contacts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "contacts" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "contacts" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY owner ON "contacts" TO CURRENT_USER USING (true);
ALTER TABLE "announcements" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "announcements" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "announcements" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "announcements" TO drawbridge_across USING (true);
CREATE POLICY owner ON "announcements" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "contacts" TO drawbridge_tenant;
-- Whoever acts adds to an open mail; only the worker closes, sends and sweeps one.
GRANT SELECT, INSERT, UPDATE ("acts", "act_count") ON "announcements" TO drawbridge_tenant;
GRANT SELECT, UPDATE, DELETE ON "announcements" TO drawbridge_across;
