-- Whom a refused request would have taken out of a group is in it still, as the directory has it, but has nothing by it: until a request that is accepted adds
-- her anew, or takes her out.
ALTER TABLE "scim_group_members" ADD COLUMN "withheld" BOOLEAN NOT NULL DEFAULT false;

-- As it was (migration 0126), but for those.
CREATE OR REPLACE FUNCTION groups_above(of_tenant uuid, of_user uuid, depth_limit integer, most integer) RETURNS uuid[]
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
        SELECT m.group_id, m.generation FROM scim_group_members m WHERE m.tenant_id = of_tenant AND m.member_id = inside.id AND NOT m.withheld OFFSET 0) m
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
