-- Who keeps a person out: her directory (scim), a signal of her IdP, an admin. Each lifts its own word, and an admin any (docs/adr/0099). The column alone,
-- because to add one keeps everybody out until the commit: whose words are those that are there already is read in a migration of its own (0143).
ALTER TABLE "subjects" ADD COLUMN "deactivated_by" TEXT[] NOT NULL DEFAULT '{}';
