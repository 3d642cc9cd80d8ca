-- Those that were there before they were counted. Whoever comes or goes in this very moment may be missed: the limit is none to bill by.
INSERT INTO "scim_user_counts" ("tenant_id", "connection_id", "living", "known")
  SELECT "tenant_id", "connection_id", count(*) FILTER (WHERE "deleted_at" IS NULL), count(*) FROM "scim_users" GROUP BY "tenant_id", "connection_id"
  ON CONFLICT ("tenant_id", "connection_id") DO UPDATE SET "living" = excluded."living", "known" = excluded."known";
