-- Where a client hears of logouts: OpenID Connect Back-Channel Logout 1.0 §2.2. Null: it does not.
ALTER TABLE "clients" ADD COLUMN "backchannel_logout_uri" TEXT;
ALTER TABLE "clients" ADD COLUMN "backchannel_logout_session_required" BOOLEAN NOT NULL DEFAULT false;
-- Which of them must be told, asked at every sweep: few tenants have any.
CREATE INDEX "clients_told_of_logouts" ON "clients" ("tenant_id", "issuer_id", "client_id") WHERE "backchannel_logout_uri" IS NOT NULL;

-- Whom we call, and how it fares: one that is down is paused as a whole.
CREATE TABLE "delivery_destinations" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "kind" TEXT NOT NULL,
  "issuer_id" UUID,
  "client_id" TEXT,
  -- Scheme, host and port as it was last called: no host gets more than its share of what is under way, whoever named it.
  "origin" TEXT NOT NULL,
  -- Of the destination itself, in a row.
  "failures" INTEGER NOT NULL DEFAULT 0,
  "failing_since" TIMESTAMPTZ(3),
  "paused_until" TIMESTAMPTZ(3),
  CONSTRAINT "delivery_destinations_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "delivery_destinations_kind_check" CHECK ("kind" <> 'backchannel_logout' OR ("issuer_id" IS NOT NULL AND "client_id" IS NOT NULL))
);
CREATE UNIQUE INDEX "delivery_destinations_tenant_id_issuer_id_client_id_key" ON "delivery_destinations" ("tenant_id", "issuer_id", "client_id");
ALTER TABLE "delivery_destinations" ADD CONSTRAINT "delivery_destinations_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "delivery_destinations" ADD CONSTRAINT "delivery_destinations_client_id_fkey" FOREIGN KEY ("tenant_id", "issuer_id", "client_id")
  REFERENCES "clients" ("tenant_id", "issuer_id", "client_id") ON DELETE CASCADE;

-- One call that must arrive. Written in the transaction that makes it due; ended when it was answered well, or given up with a reason.
CREATE TABLE "deliveries" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "destination_id" UUID NOT NULL,
  -- Within one destination what has the same key arrives in order: the person, mostly.
  "order_key" TEXT NOT NULL,
  -- Grows as the events were committed that are told; what was written down of one event goes by its ordinal.
  "sequence" BIGINT NOT NULL,
  "ordinal" BIGSERIAL NOT NULL,
  "event_id" UUID NOT NULL,
  -- Which of several messages about the event it is.
  "part" TEXT NOT NULL,
  -- What is said. Holds no secret: tokens and signatures are made at each try.
  "payload" JSONB NOT NULL,
  "attempts" INTEGER NOT NULL DEFAULT 0,
  "due_at" TIMESTAMPTZ(3) NOT NULL,
  "leased_until" TIMESTAMPTZ(3),
  "delivered_at" TIMESTAMPTZ(3),
  "dead_at" TIMESTAMPTZ(3),
  -- Why the last try failed, or why it was given up.
  "reason" TEXT,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  -- Its age counts from here: replayed, it begins anew.
  "begun_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3),
  CONSTRAINT "deliveries_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "deliveries_ended_check" CHECK (("expires_at" IS NULL) = ("delivered_at" IS NULL AND "dead_at" IS NULL) AND ("delivered_at" IS NULL OR "dead_at" IS NULL))
);
-- Twice is once.
CREATE UNIQUE INDEX "deliveries_once" ON "deliveries" ("tenant_id", "event_id", "destination_id", "order_key", "part");
-- The heads of what waits, per destination and key; which destinations have anything to do.
CREATE INDEX "deliveries_undone" ON "deliveries" ("tenant_id", "destination_id", "order_key", "sequence", "ordinal") WHERE "expires_at" IS NULL;
CREATE INDEX "deliveries_due" ON "deliveries" ("tenant_id", "destination_id", "due_at", "id") WHERE "expires_at" IS NULL;
CREATE INDEX "deliveries_leased" ON "deliveries" ("leased_until") WHERE "expires_at" IS NULL AND "leased_until" IS NOT NULL;
CREATE INDEX "deliveries_begun" ON "deliveries" ("begun_at") WHERE "expires_at" IS NULL;
CREATE INDEX "deliveries_tenant_id_created_at_id_idx" ON "deliveries" ("tenant_id", "created_at", "id");
CREATE INDEX "deliveries_expires_at_idx" ON "deliveries" ("expires_at");
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_destination_id_fkey" FOREIGN KEY ("tenant_id", "destination_id")
  REFERENCES "delivery_destinations" ("tenant_id", "id") ON DELETE CASCADE;

ALTER TABLE "delivery_destinations" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "delivery_destinations" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "delivery_destinations" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "delivery_destinations" TO drawbridge_across USING (true);
CREATE POLICY owner ON "delivery_destinations" TO CURRENT_USER USING (true);
ALTER TABLE "deliveries" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "deliveries" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "deliveries" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "deliveries" TO drawbridge_across USING (true);
CREATE POLICY owner ON "deliveries" TO CURRENT_USER USING (true);
-- The worker writes, sends and sweeps; an admin looks, and has what was given up tried again.
GRANT SELECT ON "delivery_destinations", "deliveries" TO drawbridge_tenant;
GRANT UPDATE ("attempts", "due_at", "leased_until", "dead_at", "reason", "begun_at", "expires_at") ON "deliveries" TO drawbridge_tenant;
GRANT UPDATE ("paused_until") ON "delivery_destinations" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON "delivery_destinations", "deliveries" TO drawbridge_across;
GRANT USAGE ON SEQUENCE "deliveries_ordinal_seq" TO drawbridge_tenant, drawbridge_across;
