-- Until when a person of a directory bore the key that she had before: whoever began to sign in later is somebody else, to whom it was given. Null: she bears it still, or nobody knows,
-- as of keys that were changed before this.
ALTER TABLE "scim_users" ADD COLUMN "former_user_name_until" TIMESTAMPTZ(3), ADD COLUMN "former_external_id_until" TIMESTAMPTZ(3);
