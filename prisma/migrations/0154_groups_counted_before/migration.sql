-- Those that were there before they were counted. A group that comes or goes in this very moment may be missed: the limit is none to bill by.
UPDATE "connections" c SET "scim_groups" = living.many
  FROM (SELECT tenant_id, connection_id, count(*)::int AS many FROM "scim_groups" WHERE deleted_at IS NULL GROUP BY tenant_id, connection_id) living
 WHERE living.tenant_id = c.tenant_id AND living.connection_id = c.id;
