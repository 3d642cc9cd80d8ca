-- How many people the directory of a connection has, and has ever had: so that their number is limited without counting them at each new one. Apart from the connection, whose row
-- every login and refresh reads: a directory that begins would leave a version of it for each person (docs/adr/0123).
CREATE TABLE "scim_user_counts" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "living" INTEGER NOT NULL DEFAULT 0,
  "known" INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT "scim_user_counts_pkey" PRIMARY KEY ("tenant_id", "connection_id")
) WITH (fillfactor = 50);
ALTER TABLE "scim_user_counts" ADD CONSTRAINT "scim_user_counts_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id") REFERENCES "connections" ("tenant_id", "id");

ALTER TABLE "scim_user_counts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "scim_user_counts" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "scim_user_counts" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "scim_user_counts" TO drawbridge_across USING (true);
CREATE POLICY owner ON "scim_user_counts" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE ON "scim_user_counts" TO drawbridge_tenant;

-- Whoever makes a person holds her directory, so that nobody waits here for anybody else. Once for a statement, however many it makes.
CREATE FUNCTION count_scim_users_made() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO scim_user_counts AS c (tenant_id, connection_id, living, known)
    SELECT tenant_id, connection_id, count(*) FILTER (WHERE deleted_at IS NULL), count(*) FROM made GROUP BY tenant_id, connection_id ORDER BY tenant_id, connection_id
    ON CONFLICT (tenant_id, connection_id) DO UPDATE SET living = c.living + excluded.living, known = c.known + excluded.known;
  RETURN NULL;
END
$$;
CREATE TRIGGER scim_users_made AFTER INSERT ON "scim_users" REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION count_scim_users_made();

CREATE FUNCTION count_scim_user_gone() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE scim_user_counts SET living = living - 1 WHERE tenant_id = NEW.tenant_id AND connection_id = NEW.connection_id;
  RETURN NULL;
END
$$;
CREATE TRIGGER scim_users_gone AFTER UPDATE OF deleted_at ON "scim_users" FOR EACH ROW
  WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION count_scim_user_gone();
