-- A search path that does not name pg_temp looks there first for tables: a temporary one could stand in for ours inside a function, also in those that run
-- as the owner.
DO $$ DECLARE each record; BEGIN
  FOR each IN SELECT p.oid::regprocedure AS name, substr(setting, length('search_path=') + 1) AS path
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'public', unnest(p.proconfig) AS setting
    WHERE setting LIKE 'search_path=%' AND setting NOT LIKE '%pg_temp%'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %s, pg_temp', each.name, each.path);
  END LOOP;
END $$;
