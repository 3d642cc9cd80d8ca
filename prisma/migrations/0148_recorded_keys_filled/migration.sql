-- Those who are here already: a leaver never signs in again. Whoever signs in meanwhile has her keys by the trigger (0147), and they stay. Apart from it, so that
-- nobody who signs in waits for this: no row of `subjects` is changed.
INSERT INTO "recorded_keys" ("tenant_id", "subject_id", "keys")
SELECT "tenant_id", "id", recorded_keys_of("connection_id", "stable_id", "claims") FROM "subjects" WHERE "scim_user_id" IS NULL
ON CONFLICT ("tenant_id", "subject_id") DO NOTHING;
