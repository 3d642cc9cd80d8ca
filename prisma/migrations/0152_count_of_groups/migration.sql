-- How many living groups the directory of a connection has, so that their number is limited without counting them at each new one.
ALTER TABLE "connections" ADD COLUMN "scim_groups" INTEGER NOT NULL DEFAULT 0;

-- It is no change of configuration, as other words of a directory are none (0064).
DROP TRIGGER configuration_changed ON "connections";
CREATE TRIGGER configuration_changed AFTER UPDATE ON "connections" FOR EACH ROW
  WHEN (to_jsonb(OLD) - ARRAY['directory_version', 'directory_barrier', 'directory_barrier_at', 'groups_since', 'scim_groups']
    IS DISTINCT FROM to_jsonb(NEW) - ARRAY['directory_version', 'directory_barrier', 'directory_barrier_at', 'groups_since', 'scim_groups'])
  EXECUTE FUNCTION raise_configuration_version();
