-- Groups within groups are walked once each, level by level, and the walk ends where it knows enough. The one before met a group again at every depth
-- by which it is reached: a thousand groups that hold each other cost millions of rows, in statements of the hot path (docs/adr/0096).
--
-- The groups of a user, those that hold her groups included; null: more than `most`, deeper than `depth_limit`, or more memberships to look at than ten
-- for each of `most`, those of groups that were emptied or deleted and are not swept yet included. Each is found by its key (`OFFSET 0`), however many
-- the planner believes that there are.
CREATE FUNCTION groups_above(of_tenant uuid, of_user uuid, depth_limit integer, most integer) RETURNS uuid[]
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
DECLARE
  held uuid[] := '{}';
  found uuid[] := ARRAY[of_user];
  may_look integer := 10 * most;
  looked integer;
BEGIN
  FOR depth IN 1 .. depth_limit + 1 LOOP
    WITH memberships AS MATERIALIZED (
      SELECT m.group_id, m.generation FROM unnest(found) AS inside (id) CROSS JOIN LATERAL (
        SELECT m.group_id, m.generation FROM scim_group_members m WHERE m.tenant_id = of_tenant AND m.member_id = inside.id OFFSET 0) m
      LIMIT may_look + 1
    )
    SELECT (SELECT count(*) FROM memberships), ARRAY(
      SELECT g.id FROM memberships
        JOIN scim_groups g ON g.tenant_id = of_tenant AND g.id = memberships.group_id AND g.deleted_at IS NULL AND g.generation = memberships.generation
      EXCEPT SELECT unnest(held)) INTO looked, found;
    may_look := may_look - looked;
    IF may_look < 0 THEN
      RETURN NULL;
    END IF;
    IF found = '{}' THEN
      RETURN held;
    END IF;
    held := held || found;
    IF cardinality(held) > most THEN
      RETURN NULL;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

-- What it says stays as it was (migration 0064).
CREATE OR REPLACE FUNCTION directory_says(of_tenant uuid, of_connection uuid, of_user uuid, depth_limit integer, most integer) RETURNS jsonb
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  asked record;
  held uuid[];
  said_groups jsonb := '"unknown"';
BEGIN
  SELECT directory_decides_groups(c.configuration, c.groups_since) AS groups, directory_decides_claims(c.configuration) AS claims,
    c.groups_since IS NOT NULL AS has_spoken, u.id AS user_id, u.user_name, u.external_id, u.resource INTO asked
  FROM connections c LEFT JOIN scim_users u ON u.tenant_id = of_tenant AND u.id = of_user AND u.connection_id = c.id AND u.deleted_at IS NULL
  WHERE c.tenant_id = of_tenant AND c.id = of_connection;
  IF NOT FOUND OR NOT (asked.groups OR asked.claims) THEN
    RETURN NULL;
  END IF;
  IF NOT asked.groups THEN
    said_groups := '"login"';
  ELSIF asked.user_id IS NOT NULL AND asked.has_spoken THEN
    held := groups_above(of_tenant, asked.user_id, depth_limit, most);
    IF held IS NOT NULL THEN
      SELECT COALESCE(jsonb_agg(jsonb_build_array(g.display_name, g.external_id) ORDER BY g.display_name_key, g.id), '[]') INTO said_groups
      FROM scim_groups g WHERE g.tenant_id = of_tenant AND g.id = ANY (held);
    END IF;
  END IF;
  RETURN jsonb_build_object('groups', said_groups, 'user', CASE WHEN asked.claims AND asked.user_id IS NOT NULL
    THEN asked.resource || jsonb_strip_nulls(jsonb_build_object('userName', asked.user_name, 'externalId', asked.external_id)) END);
END
$$;
