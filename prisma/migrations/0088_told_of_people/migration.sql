-- What clients of a tenant may be told of people. Null: nothing. A version that knows nothing of the column tells nothing.
ALTER TABLE "tenants" ADD COLUMN "told_of_people" JSONB;
CREATE TRIGGER told_of_people_changed BEFORE UPDATE OF told_of_people ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
