-- Whose end has come and was not told yet is looked for every second: by those alone, and not by everybody who ever left. The index before goes in a migration
-- of its own (0145), because to drop one keeps even readers out.
CREATE INDEX "subjects_end_waits" ON "subjects" ("deactivates_at") WHERE "deactivates_at" IS NOT NULL AND "ended_for" IS DISTINCT FROM "deactivates_at";
