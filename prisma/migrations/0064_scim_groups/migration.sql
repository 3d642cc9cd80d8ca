-- Groups of a directory, and whom they hold (docs/adr/0039). Nothing below says anything until a directory sends its first group.
CREATE TABLE "scim_groups" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "display_name" TEXT NOT NULL,
  "display_name_key" TEXT NOT NULL,
  "external_id" TEXT,
  "resource" JSONB NOT NULL,
  "version" INTEGER NOT NULL DEFAULT 1,
  "generation" INTEGER NOT NULL DEFAULT 1,
  "swept_generation" INTEGER NOT NULL DEFAULT 1,
  "member_count" INTEGER NOT NULL DEFAULT 0,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "updated_at" TIMESTAMPTZ(3) NOT NULL,
  "deleted_at" TIMESTAMPTZ(3),
  CONSTRAINT "scim_groups_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE INDEX "scim_groups_tenant_id_connection_id_created_at_id_idx" ON "scim_groups" ("tenant_id", "connection_id", "created_at", "id");
CREATE UNIQUE INDEX "scim_groups_living_name" ON "scim_groups" ("tenant_id", "connection_id", "display_name_key") WHERE "deleted_at" IS NULL;
CREATE UNIQUE INDEX "scim_groups_living_external_id" ON "scim_groups" ("tenant_id", "connection_id", "external_id") WHERE "deleted_at" IS NULL;
CREATE INDEX "scim_groups_unswept" ON "scim_groups" ("tenant_id", "id") WHERE "swept_generation" < "generation";
ALTER TABLE "scim_groups" ADD CONSTRAINT "scim_groups_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "scim_groups" ADD CONSTRAINT "scim_groups_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id");

-- A row counts while its generation is that of its living group: so a group of any size is emptied by one number.
CREATE TABLE "scim_group_members" (
  "tenant_id" UUID NOT NULL,
  "group_id" UUID NOT NULL,
  "member_id" UUID NOT NULL,
  "user_id" UUID,
  "nested_id" UUID,
  "generation" INTEGER NOT NULL,
  CONSTRAINT "scim_group_members_pkey" PRIMARY KEY ("tenant_id", "group_id", "member_id"),
  CONSTRAINT "scim_group_members_member_check" CHECK (num_nonnulls("user_id", "nested_id") = 1 AND "member_id" = COALESCE("user_id", "nested_id"))
);
CREATE INDEX "scim_group_members_tenant_id_member_id_idx" ON "scim_group_members" ("tenant_id", "member_id");
CREATE INDEX "scim_group_members_nested" ON "scim_group_members" ("tenant_id", "group_id") WHERE "nested_id" IS NOT NULL;
ALTER TABLE "scim_group_members" ADD CONSTRAINT "scim_group_members_group_id_fkey" FOREIGN KEY ("tenant_id", "group_id")
  REFERENCES "scim_groups" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "scim_group_members" ADD CONSTRAINT "scim_group_members_user_id_fkey" FOREIGN KEY ("tenant_id", "user_id")
  REFERENCES "scim_users" ("tenant_id", "id");
ALTER TABLE "scim_group_members" ADD CONSTRAINT "scim_group_members_nested_id_fkey" FOREIGN KEY ("tenant_id", "nested_id")
  REFERENCES "scim_groups" ("tenant_id", "id") ON DELETE CASCADE;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['scim_groups', 'scim_group_members'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_only ON %I TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting(''drawbridge.tenant_id'', true), '''')::uuid)', name);
    EXECUTE format('CREATE POLICY hot ON %I TO drawbridge_hot USING (true)', name);
    EXECUTE format('CREATE POLICY across ON %I TO drawbridge_across USING (true)', name);
    EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true)', name);
  END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON "scim_groups" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON "scim_group_members" TO drawbridge_tenant;
GRANT SELECT ON "scim_groups", "scim_group_members" TO drawbridge_hot;
GRANT SELECT, DELETE ON "scim_groups", "scim_group_members" TO drawbridge_across;
GRANT UPDATE ("swept_generation") ON "scim_groups" TO drawbridge_across;

-- What a directory changes raises a version: of one person, or, where many are touched, of the whole connection in one row. Grants remember both.
-- Where the tenant wants it to take effect at once, the barrier rises with it: grants decided below are decided again before anything is said of them.
ALTER TABLE "subjects" ADD COLUMN "claims_barrier" INTEGER NOT NULL DEFAULT 0, ADD COLUMN "claims_barrier_at" TIMESTAMPTZ(3);
ALTER TABLE "connections" ADD COLUMN "directory_version" INTEGER NOT NULL DEFAULT 0, ADD COLUMN "directory_barrier" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "directory_barrier_at" TIMESTAMPTZ(3), ADD COLUMN "groups_since" TIMESTAMPTZ(3);
ALTER TABLE "grants" ADD COLUMN "directory_version" INTEGER NOT NULL DEFAULT 0;
-- `now` or `at_next_refresh`, as the published policy says; null: it does not, and `now` holds.
ALTER TABLE "tenants" ADD COLUMN "claim_changes" TEXT;
ALTER TABLE "tenants" ADD CONSTRAINT "tenants_claim_changes_check" CHECK ("claim_changes" IN ('now', 'at_next_refresh'));

-- That a directory said something is no change of configuration, or every such word would make every process load its tenant anew.
DROP TRIGGER configuration_changed ON "connections";
CREATE TRIGGER configuration_made_or_lost AFTER INSERT OR DELETE ON "connections" FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
CREATE TRIGGER configuration_changed AFTER UPDATE ON "connections" FOR EACH ROW
  WHEN (to_jsonb(OLD) - ARRAY['directory_version', 'directory_barrier', 'directory_barrier_at', 'groups_since']
    IS DISTINCT FROM to_jsonb(NEW) - ARRAY['directory_version', 'directory_barrier', 'directory_barrier_at', 'groups_since'])
  EXECUTE FUNCTION raise_configuration_version();

-- Whether the directory of a connection decides the groups of its people, or some of their claims.
CREATE FUNCTION directory_decides_groups(configuration jsonb, groups_since timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE configuration #>> '{directory,groups}' WHEN 'login' THEN false WHEN 'directory' THEN true ELSE groups_since IS NOT NULL END
$$;
CREATE FUNCTION directory_decides_claims(configuration jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_path_exists(configuration, '$.mapping.claims.*.directory')
$$;

-- What the directory says of a person: null where it decides nothing at this connection. Groups are `login` (not its to say), `unknown`, or a list
-- of name and externalId, those that hold her groups included. STABLE: it sees what the statement sees that asks.
CREATE FUNCTION directory_says(of_tenant uuid, of_connection uuid, of_user uuid, depth_limit integer, most integer) RETURNS jsonb
  LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
  WITH RECURSIVE asked AS (
    SELECT directory_decides_groups(c.configuration, c.groups_since) AS groups, directory_decides_claims(c.configuration) AS claims,
      c.groups_since IS NOT NULL AS has_spoken, u.id AS user_id, u.user_name, u.external_id, u.resource
    FROM connections c LEFT JOIN scim_users u ON u.tenant_id = of_tenant AND u.id = of_user AND u.connection_id = c.id AND u.deleted_at IS NULL
    WHERE c.tenant_id = of_tenant AND c.id = of_connection
  ), held (id, depth) AS (
    SELECT g.id, 1 FROM asked JOIN scim_group_members m ON m.tenant_id = of_tenant AND m.member_id = asked.user_id
      JOIN scim_groups g ON g.tenant_id = of_tenant AND g.id = m.group_id AND g.deleted_at IS NULL AND g.generation = m.generation
    WHERE asked.groups
    UNION
    SELECT g.id, held.depth + 1 FROM held JOIN scim_group_members m ON m.tenant_id = of_tenant AND m.member_id = held.id
      JOIN scim_groups g ON g.tenant_id = of_tenant AND g.id = m.group_id AND g.deleted_at IS NULL AND g.generation = m.generation
    WHERE held.depth <= depth_limit
  ), nearest AS (
    SELECT id, min(depth) AS depth FROM held GROUP BY id
  ), said AS (
    SELECT count(*) > most OR bool_or(depth > depth_limit) AS too_many,
      COALESCE(jsonb_agg(jsonb_build_array(g.display_name, g.external_id) ORDER BY g.display_name_key, g.id), '[]') AS list
    FROM nearest JOIN scim_groups g ON g.tenant_id = of_tenant AND g.id = nearest.id
  )
  SELECT CASE WHEN asked.groups OR asked.claims THEN jsonb_build_object(
    'groups', CASE WHEN NOT asked.groups THEN '"login"' WHEN asked.user_id IS NULL OR NOT asked.has_spoken OR said.too_many THEN '"unknown"' ELSE said.list END,
    'user', CASE WHEN asked.claims AND asked.user_id IS NOT NULL
      THEN asked.resource || jsonb_strip_nulls(jsonb_build_object('userName', asked.user_name, 'externalId', asked.external_id)) END) END
  FROM asked, said
$$;
