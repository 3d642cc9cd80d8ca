-- Since when a resource server asks to be told what it asks now. Null: since before there was this column, or it never asked otherwise.
ALTER TABLE "resources" ADD COLUMN "told_of_people_at" TIMESTAMPTZ(3);
