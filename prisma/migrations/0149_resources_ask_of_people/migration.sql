-- What a resource server asks to be told of the people whose tokens it introspects. Null: nothing. A version that knows nothing of the column tells nothing.
ALTER TABLE "resources" ADD COLUMN "told_of_people" JSONB;
