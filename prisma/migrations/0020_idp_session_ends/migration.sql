-- The names by which the IdP may end a session, hashed: `core/logout/idp-session` makes them. Null: it gave none, or the version before made
-- the session, and then it ends with its time. Indexes without the tenant, as 0009 says.
ALTER TABLE "browser_sessions" ADD COLUMN "idp_session_name" BYTEA, ADD COLUMN "idp_subject_name" BYTEA;
CREATE INDEX "browser_sessions_idp_session_name_idx" ON "browser_sessions" ("idp_session_name");
CREATE INDEX "browser_sessions_idp_subject_name_idx" ON "browser_sessions" ("idp_subject_name");

-- Whether what was granted from a session outlives its end at the IdP. Nothing caches it, so no version is raised.
ALTER TABLE "tenants" ADD COLUMN "grants_outlive_logout" BOOLEAN NOT NULL DEFAULT false;

-- Sessions, and people, whose end the IdP has told. A login that was under way at that moment is not believed.
CREATE TABLE "idp_session_ends" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "name" BYTEA NOT NULL,
  "ended_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "idp_session_ends_pkey" PRIMARY KEY ("tenant_id", "connection_id", "name")
);
CREATE INDEX "idp_session_ends_expires_at_idx" ON "idp_session_ends" ("expires_at");
ALTER TABLE "idp_session_ends" ADD CONSTRAINT "idp_session_ends_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "idp_session_ends" ADD CONSTRAINT "idp_session_ends_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id");
ALTER TABLE "idp_session_ends" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "idp_session_ends" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "idp_session_ends" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY hot ON "idp_session_ends" TO drawbridge_hot USING (true);
CREATE POLICY across ON "idp_session_ends" TO drawbridge_across USING (true);
CREATE POLICY owner ON "idp_session_ends" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE ON "idp_session_ends" TO drawbridge_tenant;
GRANT SELECT ON "idp_session_ends" TO drawbridge_hot;
GRANT SELECT, DELETE ON "idp_session_ends" TO drawbridge_across;

-- The lock of one name: an end holds it alone, a login that would open a session under the name shares it.
CREATE FUNCTION idp_session_lock(tenant uuid, connection uuid, name bytea) RETURNS bigint LANGUAGE sql IMMUTABLE
  SET search_path = pg_catalog, public AS $$
  SELECT hashtextextended('idp-session:' || tenant::text || connection::text || encode(name, 'hex'), 0)
$$;

-- A login that is being written and an end of the same session wait for each other: the login then looks at the ends as they are now, because
-- its own statement began earlier. True: none of the names has ended since the trip began. The names come sorted, so that nobody waits in a circle.
CREATE FUNCTION hold_idp_session(tenant uuid, connection uuid, names bytea[], began timestamptz) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
DECLARE
  given bytea;
BEGIN
  FOREACH given IN ARRAY names LOOP
    PERFORM pg_advisory_xact_lock_shared(idp_session_lock(tenant, connection, given));
  END LOOP;
  RETURN NOT EXISTS (SELECT 1 FROM idp_session_ends AS e
    WHERE e.tenant_id = tenant AND e.connection_id = connection AND e.name = ANY (names) AND e.ended_at >= began);
END
$$;

-- The other side: waits for every login that is being written under one of the names. Whatever the caller reads afterwards shows them.
CREATE FUNCTION await_idp_session(tenant uuid, connection uuid, names bytea[]) RETURNS void
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
DECLARE
  given bytea;
BEGIN
  FOREACH given IN ARRAY names LOOP
    PERFORM pg_advisory_xact_lock(idp_session_lock(tenant, connection, given));
  END LOOP;
END
$$;
