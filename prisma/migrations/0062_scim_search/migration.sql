-- What directories look people up by, beside userName, externalId and id. Under row-level security only plain equality and order on columns may
-- use an index, so what rests in the document is kept here once more, folded and cut; whoever finds by it compares the document itself afterwards.
CREATE TABLE "scim_user_keys" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "name" TEXT NOT NULL,
  "key" TEXT NOT NULL,
  "user_id" UUID NOT NULL,
  CONSTRAINT "scim_user_keys_pkey" PRIMARY KEY ("tenant_id", "connection_id", "name", "key", "user_id")
);
ALTER TABLE "scim_user_keys" ADD CONSTRAINT "scim_user_keys_user_id_fkey" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "scim_users" ("tenant_id", "id") ON DELETE CASCADE;
CREATE INDEX "scim_user_keys_tenant_id_user_id_idx" ON "scim_user_keys" ("tenant_id", "user_id");

ALTER TABLE "scim_user_keys" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "scim_user_keys" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "scim_user_keys" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "scim_user_keys" TO drawbridge_across USING (true);
CREATE POLICY owner ON "scim_user_keys" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, DELETE ON "scim_user_keys" TO drawbridge_tenant;

-- Cut, so that no text of a directory is too long for an index.
CREATE FUNCTION scim_key(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT left(lower(value COLLATE "und-x-icu"), 256)
$$;
CREATE FUNCTION scim_user_keys_of(document jsonb) RETURNS TABLE (name text, key text) LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public AS $$
  SELECT 'displayName', scim_key(document ->> 'displayName') WHERE jsonb_typeof(document -> 'displayName') = 'string'
  UNION
  SELECT 'emails.value', scim_key(email.value ->> 'value')
  FROM jsonb_array_elements(CASE jsonb_typeof(document -> 'emails') WHEN 'array' THEN document -> 'emails' ELSE jsonb_build_array(document -> 'emails') END) AS email
  WHERE jsonb_typeof(email.value -> 'value') = 'string'
$$;

-- By a trigger, so that what the running version writes is found as well.
CREATE FUNCTION keep_scim_user_keys() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    DELETE FROM scim_user_keys WHERE tenant_id = NEW.tenant_id AND user_id = NEW.id;
  END IF;
  INSERT INTO scim_user_keys (tenant_id, connection_id, name, key, user_id)
  SELECT NEW.tenant_id, NEW.connection_id, found.name, found.key, NEW.id FROM scim_user_keys_of(NEW.resource) AS found;
  RETURN NULL;
END
$$;
CREATE TRIGGER scim_user_keys_made AFTER INSERT ON "scim_users" FOR EACH ROW EXECUTE FUNCTION keep_scim_user_keys();
CREATE TRIGGER scim_user_keys_kept AFTER UPDATE OF resource ON "scim_users" FOR EACH ROW
  WHEN ((OLD.resource -> 'displayName', OLD.resource -> 'emails') IS DISTINCT FROM (NEW.resource -> 'displayName', NEW.resource -> 'emails'))
  EXECUTE FUNCTION keep_scim_user_keys();

INSERT INTO scim_user_keys (tenant_id, connection_id, name, key, user_id)
SELECT u.tenant_id, u.connection_id, found.name, found.key, u.id FROM scim_users AS u, scim_user_keys_of(u.resource) AS found;

-- The orders in which people are listed, the stable one first.
CREATE INDEX "scim_users_living_created" ON "scim_users" ("tenant_id", "connection_id", "created_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "scim_users_living_updated" ON "scim_users" ("tenant_id", "connection_id", "updated_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "scim_users_living_active" ON "scim_users" ("tenant_id", "connection_id", "active", "created_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "scim_users_living_name_order" ON "scim_users" ("tenant_id", "connection_id", "user_name_key" COLLATE "C", "id") WHERE "deleted_at" IS NULL;
