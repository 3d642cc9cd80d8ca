-- An end that a directory names in advance, as its user carries it; `subjects.deactivates_at` is that of the person who is linked to her.
ALTER TABLE "scim_users" ADD COLUMN "ends_at" TIMESTAMPTZ(3);
-- The end for which the barrier has been raised; another end raises another one.
ALTER TABLE "subjects" ADD COLUMN "ended_for" TIMESTAMPTZ(3);
CREATE INDEX "subjects_ending" ON "subjects" ("deactivates_at") WHERE "deactivates_at" IS NOT NULL;

-- As it is once the directory is held: VOLATILE, so that a login sees what was said while it waited.
CREATE FUNCTION directory_end(of_tenant uuid, of_user uuid) RETURNS timestamptz LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
BEGIN
  RETURN (SELECT ends_at FROM scim_users WHERE tenant_id = of_tenant AND id = of_user);
END
$$;
