-- Whoever signed in before her directory told of her is known by what she recorded at her last login: a claim, or her stable id. All of it that is text is
-- kept here once more as digests, for those alone who are linked to nobody, so that an index finds them when the directory takes access (docs/adr/0103). Which
-- of it is the link key the connection says, and may say otherwise tomorrow: so it is all of it. Whoever finds by it compares the words themselves afterwards.
CREATE TABLE "recorded_keys" (
  "tenant_id" UUID NOT NULL,
  "subject_id" UUID NOT NULL,
  "keys" BYTEA[] NOT NULL,
  CONSTRAINT "recorded_keys_pkey" PRIMARY KEY ("tenant_id", "subject_id"),
  CONSTRAINT "recorded_keys_subject_id_fkey" FOREIGN KEY ("tenant_id", "subject_id") REFERENCES "subjects" ("tenant_id", "id") ON DELETE CASCADE
);
-- Each row goes into the index at once: of rows that wait, whoever looks reads all, and some login would pay for the others when they are too many.
CREATE INDEX "recorded_keys_keys_idx" ON "recorded_keys" USING gin ("keys") WITH (fastupdate = off);

-- The functions below alone read and write it: under row-level security no role of ours could use an index of arrays.
DO $$
BEGIN
  ALTER TABLE "recorded_keys" ENABLE ROW LEVEL SECURITY;
  ALTER TABLE "recorded_keys" FORCE ROW LEVEL SECURITY;
  CREATE POLICY owner ON "recorded_keys" TO CURRENT_USER USING (true);
END
$$;

-- Of one length, and of one connection: a name that many companies know is found at one. Who folds it says how: `recorded-key` of the store.
CREATE FUNCTION recorded_key(connection uuid, claim text, folded text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN substr(sha256(uuid_send(connection) || convert_to(claim, 'UTF8') || '\x00'::bytea || convert_to(folded, 'UTF8')), 1, 8);

-- The stable id under `sub`, which no mapping may write. Without case: what is the same with case is the same without.
CREATE FUNCTION recorded_keys_of(connection uuid, stable_id text, claims jsonb) RETURNS bytea[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
  SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT ARRAY(
    SELECT recorded_key(connection, 'sub', lower(stable_id COLLATE "und-x-icu"))
    UNION ALL
    SELECT recorded_key(connection, one.value ->> 0, lower((one.value ->> 1) COLLATE "und-x-icu"))
    FROM jsonb_array_elements(CASE WHEN jsonb_typeof(claims -> 'claims') = 'array' THEN claims -> 'claims' ELSE '[]' END) AS one
    WHERE one.value ->> 0 IS NOT NULL AND jsonb_typeof(one.value -> 1) = 'string')
$$;

-- By triggers, so that whoever writes a subject, a broker of an earlier version too, leaves nobody out.
CREATE FUNCTION keep_recorded_keys() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NEW.scim_user_id IS NOT NULL THEN
    DELETE FROM recorded_keys WHERE tenant_id = NEW.tenant_id AND subject_id = NEW.id;
  ELSE
    INSERT INTO recorded_keys (tenant_id, subject_id, keys)
    VALUES (NEW.tenant_id, NEW.id, recorded_keys_of(NEW.connection_id, NEW.stable_id, NEW.claims))
    ON CONFLICT (tenant_id, subject_id) DO UPDATE SET keys = EXCLUDED.keys;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER recorded_keys_made AFTER INSERT ON "subjects" FOR EACH ROW WHEN (NEW.scim_user_id IS NULL) EXECUTE FUNCTION keep_recorded_keys();
CREATE TRIGGER recorded_keys_kept AFTER UPDATE OF scim_user_id, claims, stable_id, connection_id ON "subjects" FOR EACH ROW
  WHEN ((OLD.scim_user_id IS NULL) <> (NEW.scim_user_id IS NULL)
    OR NEW.scim_user_id IS NULL AND ((OLD.claims -> 'claims') IS DISTINCT FROM (NEW.claims -> 'claims')
      OR OLD.stable_id <> NEW.stable_id OR OLD.connection_id <> NEW.connection_id))
  EXECUTE FUNCTION keep_recorded_keys();

-- Who of the present tenant recorded one of these claims with this value, or has it for her stable id (`sub`). The tenant only judges what is found: it is no
-- way to it, or all of the tenant's people would be read.
CREATE FUNCTION people_of_recorded_key(connection uuid, claims text[], folded text) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.subject_id FROM recorded_keys AS k
  WHERE k.keys && ARRAY(SELECT recorded_key(connection, claim, folded) FROM unnest(claims) AS claim)
    AND (k.tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid) IS TRUE
$$;
REVOKE EXECUTE ON FUNCTION people_of_recorded_key(uuid, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_of_recorded_key(uuid, text[], text) TO drawbridge_tenant;
